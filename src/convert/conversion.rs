//! A conversion as data: what would be written, and what is to be said of it. Nothing here writes.

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::path::Component;
use std::path::Path;
use std::path::PathBuf;

use super::body::Body;
use super::names::Owner;
use super::names::names;
use super::names::numbered;
use super::prove::same_configurations;
use super::prove::same_trees;
use super::render::render;
use super::select::Block;
use super::select::edits;
use super::select::select;
use crate::base::fs;
use crate::cards::Card;
use crate::cards::Catalog;
use crate::cards::Selected;
use crate::config::Board;
use crate::config::Resolver;
use crate::diag::Diagnostic;
use crate::yaml::Editor;
use crate::yaml::Node;

/// Where new files go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum OutputPlace {
    /// To the first `configs` folder where it exists, else beside the card.
    Configs,
    /// To this folder.
    Folder(PathBuf),
    /// To this file: for exactly one.
    File(PathBuf),
}

/// How to convert.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag that may be typed")]
pub struct Options {
    /// Edit the cards too.
    pub in_place: bool,
    /// One file for all models of the same settings.
    pub share: bool,
    /// Keep values that are their defaults.
    pub keep_defaults: bool,
    /// Replace other files that stand in the way.
    pub force: bool,
    /// Where new files go.
    pub place: OutputPlace,
}

/// Where cards and configs are.
#[derive(Debug, Clone, Copy)]
pub struct Scope<'a> {
    /// Every card: none of their configurations may change.
    pub catalog: &'a Catalog,
    /// How configs are found; its board does not matter.
    pub resolver: &'a Resolver,
    /// Card keys that the near-miss rule lets through.
    pub allow_keys: &'a [String],
}

/// A TOML file to write.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewFile {
    /// Where.
    pub path: PathBuf,
    /// Its path as users see it.
    pub shown: String,
    /// What it is to hold.
    pub text: String,
    /// What it holds now, where it is there.
    pub old: Option<String>,
}

/// A card to write.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewCard {
    /// Where.
    pub path: PathBuf,
    /// Its path as users see it.
    pub shown: String,
    /// What it is to hold.
    pub text: String,
    /// What it holds now.
    pub old: String,
}

/// One block that was converted, for the report.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Converted {
    /// Network, model and board: `net/model (m2)`; of a JSON file its name.
    pub name: String,
    /// The file that the block stands in.
    pub from: String,
    /// Its line, from 1.
    pub line: usize,
    /// The TOML file.
    pub file: String,
    /// The base file that was merged.
    pub base: Option<String>,
    /// Settings left out, and what they are equal to.
    pub dropped: Vec<(String, &'static str)>,
    /// Names as written, and today's.
    pub renamed: Vec<(String, String)>,
    /// Settings that are no property and are kept.
    pub kept: Vec<String>,
}

/// What a conversion writes and says.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Conversion {
    /// TOML files, those with equal bytes on the disk included.
    pub files: Vec<NewFile>,
    /// Cards, where they are edited.
    pub cards: Vec<NewCard>,
    /// What was converted, in the order of the cards.
    pub blocks: Vec<Converted>,
    /// Why cards were left out: nothing is written of those.
    pub refused: Vec<Diagnostic>,
}

impl Converted {
    pub(super) fn new(from: String, line: usize, file: String, base: Option<String>, body: &Body) -> Self {
        let (dropped, renamed, kept) = (body.dropped.clone(), body.renamed.clone(), body.kept.clone());
        Self { name: from.clone(), from, line, file, base, dropped, renamed, kept }
    }
}

/// One card on its way.
struct Work<'a> {
    card: &'a Card,
    editor: Editor<'a>,
    blocks: Vec<Block>,
    /// The file of each block, by its place in the list of files.
    files: Vec<usize>,
}

/// Plans the conversion of what is selected, and proves that it changes nothing.
///
/// # Errors
/// What keeps the whole run from being carried out: files in the way, a configuration that would change, `-o` for several.
pub fn convert(scope: Scope<'_>, selected: &[Selected<'_>], options: &Options) -> Result<Conversion, Vec<Diagnostic>> {
    let mut conversion = Conversion::default();
    // Europa takes every value that any board takes.
    let reading = scope.resolver.with_overlay(Board::Europa, std::sync::Arc::default());
    let mut works: Vec<Work<'_>> = Vec::new();
    let mut seen = BTreeSet::new();
    for one in selected.iter().filter(|one| seen.insert(&one.card.file)) {
        let card = one.card;
        let of_card = || selected.iter().filter(|other| other.card.file == card.file);
        let wanted = |model: &str| of_card().any(|other| other.model.is_none_or(|name| name == model));
        match prepare(card, &wanted, &reading, options) {
            Ok(Some(work)) => works.push(work),
            Ok(None) => {}
            Err(problems) => conversion.refused.extend(problems),
        }
    }
    name_files(scope, &mut works, options, &mut conversion)?;
    let mut edited = Vec::new();
    for work in &works {
        let text = edited_text(work, &conversion.files).map_err(|problem| vec![problem])?;
        let (again, problems) = work.card.with_text(&text, scope.allow_keys);
        let again = again.ok_or(problems)?;
        let is_edited = |node: &Node| {
            let original = work.editor.original(node).unwrap_or(node);
            work.blocks.iter().any(|block| block.container == original.span)
        };
        if !same_trees(&work.card.node, &again.node, &is_edited) {
            let message = "the edit would change more of the card than its settings; nothing is written";
            return Err(vec![Diagnostic::error("convert/not-equal", message).in_file(work.card.file.as_str())]);
        }
        edited.push((work.card, again));
        if options.in_place {
            let file_name = Path::new(&work.card.file).file_name().unwrap_or_default();
            conversion.cards.push(NewCard {
                path: work.card.folder.join(file_name),
                shown: work.card.file.clone(),
                old: work.card.source.text().to_owned(),
                text,
            });
        }
    }
    prove(scope, &edited, &conversion, options)?;
    Ok(conversion)
}

fn prove(
    scope: Scope<'_>,
    edited: &[(&Card, Card)],
    conversion: &Conversion,
    options: &Options,
) -> Result<(), Vec<Diagnostic>> {
    let overlay: BTreeMap<PathBuf, String> =
        conversion.files.iter().map(|file| (fs::place_of(&file.path), file.text.clone())).collect();
    let new = |card: &'_ Card| edited.iter().find(|(old, _)| old.file == card.file).map(|(_, new)| new.clone());
    let after: Vec<(&Card, Option<Card>)> = scope.catalog.cards.iter().map(|card| (card, new(card))).collect();
    let pairs: Vec<(&Card, &Card)> = after.iter().map(|(old, new)| (*old, new.as_ref().unwrap_or(old))).collect();
    same_configurations(&pairs, scope.resolver, &overlay)?;
    if options.in_place {
        return Ok(());
    }
    // The cards stay, and the new files beside them must not change what they mean either.
    let pairs: Vec<(&Card, &Card)> = scope.catalog.cards.iter().map(|card| (card, card)).collect();
    same_configurations(&pairs, scope.resolver, &overlay)
}

/// A card with something to convert.
fn prepare<'a>(
    card: &'a Card,
    wanted: &dyn Fn(&str) -> bool,
    resolver: &Resolver,
    options: &Options,
) -> Result<Option<Work<'a>>, Vec<Diagnostic>> {
    let editor = Editor::new(&card.source).map_err(|error| vec![error.diagnostic(&card.source)])?;
    let blocks = select(card, &editor, wanted, resolver, options.keep_defaults)?;
    if blocks.is_empty() {
        return Ok(None);
    }
    let work = Work { card, files: Vec::new(), editor, blocks };
    // Whether the card can be edited does not depend on names: a card that cannot takes no name and writes no file.
    edited_text_with(&work, |_| "x.toml".to_owned()).map_err(|problem| vec![problem])?;
    Ok(Some(work))
}

/// Gives each block its file, and collects the files.
fn name_files(
    scope: Scope<'_>,
    works: &mut [Work<'_>],
    options: &Options,
    conversion: &mut Conversion,
) -> Result<(), Vec<Diagnostic>> {
    let names = names(scope.catalog);
    let taken = Taken::new(scope);
    // The bodies of the files, and their paths.
    let mut bodies: Vec<(Body, PathBuf)> = Vec::new();
    for work in works.iter_mut() {
        let folder = match &options.place {
            OutputPlace::Configs => scope.resolver.search.config_folders.first().filter(|folder| fs::is_folder(folder)),
            OutputPlace::Folder(folder) => Some(folder),
            OutputPlace::File(_) => None,
        };
        let folder = folder.cloned().unwrap_or_else(|| work.card.folder.clone());
        for block in &work.blocks {
            let shared = bodies.iter().position(|(body, _)| options.share && body.settings() == block.body.settings());
            if let Some(index) = shared {
                if let Some((body, _)) = bodies.get_mut(index) {
                    body.share(&block.body);
                }
                work.files.push(index);
                continue;
            }
            let owner: Owner = (work.card.name.value.clone(), block.model.clone(), block.board);
            let name = names.get(&owner).cloned().unwrap_or_else(|| "model".to_owned());
            let path = match &options.place {
                OutputPlace::File(path) => path.clone(),
                _ => taken.free(&folder, &name, &bodies),
            };
            work.files.push(bodies.len());
            bodies.push((block.body.clone(), path));
        }
    }
    if let (OutputPlace::File(path), true) = (&options.place, bodies.len() > 1) {
        let shown = scope.resolver.search.display(path);
        let message = format!("`-o {shown}` is for one file, and there are {} to write", bodies.len());
        let problem = Diagnostic::error("convert/several", message);
        return Err(vec![problem.hint("name a folder with `--output-dir`, or one model as NETWORK/MODEL")]);
    }
    let mut problems = Vec::new();
    for (body, path) in &bodies {
        let text = render(body)
            .map_err(|error| vec![Diagnostic::error("convert/not-toml", error.to_string()).hint(error.hint())])?;
        let shown = scope.resolver.search.display(path);
        match new_file(path.clone(), shown, text, options.force) {
            Ok(file) => conversion.files.push(file),
            Err(problem) => problems.push(*problem),
        }
    }
    if !problems.is_empty() {
        return Err(problems);
    }
    for work in works.iter() {
        for (block, index) in work.blocks.iter().zip(&work.files) {
            let shown = conversion.files.get(*index).map_or_else(String::new, |file| file.shown.clone());
            let line = work.card.source.position(block.key.start).line;
            let mut one = Converted::new(work.card.file.clone(), line, shown, block.base.clone(), &block.body);
            let board = block.board.map_or_else(String::new, |board| format!(" ({board})"));
            one.name = format!("{}/{}{board}", work.card.name.value, block.model);
            conversion.blocks.push(one);
        }
    }
    Ok(())
}

/// Files that must not be written: cards name them.
struct Taken {
    places: BTreeSet<PathBuf>,
    /// Names without a folder, which a new file beside a card or among the configs would catch.
    bare: BTreeSet<String>,
}

impl Taken {
    fn new(scope: Scope<'_>) -> Self {
        let mut taken = Self { places: BTreeSet::new(), bare: BTreeSet::new() };
        for board in Board::WORDS.iter().filter_map(|word| Board::from_word(word)) {
            let resolver = scope.resolver.with_overlay(board, std::sync::Arc::default());
            for card in &scope.catalog.cards {
                for model in &card.models {
                    let request = card.request(model, board);
                    let own = request.board.as_ref().and_then(|board| board.compiler_config_file.as_ref());
                    let names = own.into_iter().chain(&request.compiler_config_file);
                    taken.bare.extend(names.map(|(name, _)| name.clone()).filter(|name| !name.contains('/')));
                    let files = resolver.resolve(&request).files;
                    taken.places.extend(files.iter().map(|file| fs::place_of(file)));
                }
            }
        }
        taken
    }

    /// `<name>.toml` in a folder; where a card names that already, `<name>-merged.toml`.
    fn free(&self, folder: &Path, name: &str, others: &[(Body, PathBuf)]) -> PathBuf {
        let path = |name: &str| folder.join(format!("{name}.toml"));
        let free = |name: &str| {
            let place = fs::place_of(&path(name));
            let used = others.iter().any(|(_, other)| fs::place_of(other) == place);
            !used && !self.places.contains(&place) && !self.bare.contains(&format!("{name}.toml"))
        };
        if free(name) { path(name) } else { path(&numbered(&format!("{name}-merged"), free)) }
    }
}

/// A file to write, unless another one is in the way.
pub(super) fn new_file(path: PathBuf, shown: String, text: String, force: bool) -> Result<NewFile, Box<Diagnostic>> {
    let in_the_way = |what: &str, hint: &str| {
        Box::new(Diagnostic::error("convert/exists", format!("`{shown}` {what}")).in_file(shown.as_str()).hint(hint))
    };
    if fs::exists(&path) && !fs::is_file(&path) {
        return Err(in_the_way("is there, and no file", "choose another place with `-o` or `--output-dir`"));
    }
    let old = fs::read_if_there(&path).map_err(|error| {
        Box::new(
            Diagnostic::error("convert/exists", error.to_string()).in_file(shown.as_str()).maybe_hint(error.hint()),
        )
    })?;
    let old = old.map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
    if old.as_ref().is_some_and(|old| *old != text) && !force {
        let hint = "`--force` replaces it; `-o` and `--output-dir` name another place";
        return Err(in_the_way("is there already, with other contents; nothing is written", hint));
    }
    Ok(NewFile { path, shown, text, old })
}

fn edited_text(work: &Work<'_>, files: &[NewFile]) -> Result<String, Diagnostic> {
    edited_text_with(work, |place| {
        let file = work.files.get(place).and_then(|index| files.get(*index));
        file.map_or_else(String::new, |file| relative(&work.card.folder, &file.path))
    })
}

/// The card with its blocks gone; `name` is what it calls the file of a block, by the block's place in the list.
fn edited_text_with(work: &Work<'_>, name: impl Fn(usize) -> String) -> Result<String, Diagnostic> {
    let refuse = |error: &crate::yaml::EditError| {
        let mut problem = error.diagnostic(&work.card.source).network(work.card.name.value.as_str());
        problem.code = "convert/place";
        problem.message = format!("this card cannot be edited: {error}");
        problem
    };
    let mut all = Vec::new();
    for (place, block) in work.blocks.iter().enumerate() {
        let Some(container) = mapping_at(work.editor.root(), block) else { continue };
        all.extend(edits(&work.editor, container, &name(place)).map_err(|error| refuse(&error))?);
    }
    work.editor.apply(&all).map_err(|error| refuse(&error))
}

/// The mapping that a block stands in.
fn mapping_at<'n>(node: &'n Node, block: &Block) -> Option<&'n Node> {
    if node.is_mapping() && node.span == block.container {
        return Some(node);
    }
    let within = |node: &&Node| node.span.start <= block.container.start && block.container.end <= node.span.end;
    let children = node.items().iter().chain(node.entries().iter().flat_map(|(key, value)| [key, value]));
    children.filter(within).find_map(|child| mapping_at(child, block))
}

/// A file as a card in `folder` names it: relative to itself; both by their real places, since `..` follows those.
fn relative(folder: &Path, file: &Path) -> String {
    let (from, to) = (fs::place_of(folder), fs::place_of(file));
    let (from, to): (Vec<Component<'_>>, Vec<Component<'_>>) = (from.components().collect(), to.components().collect());
    let common = from.iter().zip(&to).take_while(|(left, right)| left == right).count();
    let up = from.iter().skip(common).map(|_| "..".to_owned());
    let down = to.iter().skip(common).map(|part| part.as_os_str().to_string_lossy().into_owned());
    up.chain(down).collect::<Vec<_>>().join("/")
}
