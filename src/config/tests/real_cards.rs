//! The inline blocks of real cards, where they are: every key is known, and nothing is a false error.

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::path::Path;
use std::path::PathBuf;

use super::super::Device;
use super::super::Request;
use super::super::Resolver;
use super::super::SearchPath;
use crate::base::fs;
use crate::diag::Severity;
use crate::diag::Source;
use crate::yaml;

/// `../shared` beside the repository, or what `AXZOO_SHARED` names; `None` where neither is.
#[expect(clippy::disallowed_methods, reason = "AXZOO_SHARED is the tests' own switch")]
pub(crate) fn shared() -> Option<PathBuf> {
    let beside = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared");
    let folder = std::env::var("AXZOO_SHARED").map_or(beside, PathBuf::from);
    fs::is_folder(&folder.join("cards")).then_some(folder)
}

/// Whether a file of the SDK is a card rather than a template.
pub(crate) fn is_card(name: &str) -> bool {
    name.contains("ax_models") && Path::new(name).extension().is_some_and(|extension| extension == "yaml")
}

#[test]
#[expect(clippy::print_stderr, reason = "a skipped test says so")]
fn no_inline_block_of_a_real_card_is_an_error() {
    let Some(shared) = shared() else {
        eprintln!("skipped: there is no ../shared");
        return;
    };
    let cards = shared.join("cards");
    let resolver = Resolver::new(SearchPath { root: cards.clone(), ..SearchPath::default() }, Device::default());
    let mut blocks = 0;
    let mut wrong = Vec::new();
    let mut kept = BTreeSet::new();
    let mut changed: BTreeMap<String, usize> = BTreeMap::new();
    for name in fs::files_below(&cards).expect("listed") {
        if !is_card(&name) {
            continue;
        }
        let text = String::from_utf8(fs::read(&cards.join(&name)).expect("read")).expect("text");
        let source = Source::new(&name, text);
        let root = yaml::parse(&source).unwrap_or_else(|error| panic!("{name}: {error}"));
        for (model, settings) in root.get("models").map(yaml::Node::entries).unwrap_or_default() {
            let inline = settings.get("extra_kwargs").and_then(|kwargs| kwargs.get("compilation_config"));
            let Some(inline) = inline else { continue };
            blocks += 1;
            let model = model.as_text().unwrap_or_default();
            let request = Request { network: &name, model, inline: Some((inline, &source)), ..Request::default() };
            let resolution = resolver.resolve(&request);
            for problem in &resolution.diagnostics {
                let expected = match problem.severity {
                    Severity::Error => false,
                    Severity::Warning => problem.code == "config/no-successor",
                    Severity::Note => true,
                };
                if !expected {
                    wrong.push(format!("{name}: {}", problem.message));
                }
            }
            kept.extend(resolution.config.extra().keys().cloned());
            assert!(!resolution.config.non_default().is_empty(), "{name}: the block of `{model}` changes nothing");
            for (name, value) in resolution.config.non_default() {
                *changed.entry(format!("{name} {value}")).or_default() += 1;
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
    assert!(blocks >= 20, "only {blocks} blocks found");
    let kept: Vec<&str> = kept.iter().map(String::as_str).collect();
    // What the cards of SDK 1.2 really set, under the names of then: all of it has arrived.
    let changed: Vec<(&str, usize)> = changed.iter().map(|(setting, count)| (setting.as_str(), *count)).collect();
    assert_eq!(
        changed,
        [
            ("backend_config.single_op_network_aicore_start_idx 3", 1),
            ("backend_config.single_op_network_use_ddr true", 1),
            ("enable_icr false", 10),
            ("quantization_scheme hybrid_per_tensor_per_channel", 11),
            ("tiling_depth 6", 9),
        ]
    );
    assert_eq!(kept, ["backend_config.single_op_network_aicore_start_idx", "backend_config.single_op_network_use_ddr"]);
}
