//! What is worth saying of a configuration although it is right: for builds and for `axzoo compile`.

use crate::config::Board;
use crate::config::Config;
use crate::diag::Diagnostic;

/// Everything of the kind; `board` is what is built for.
pub(super) fn remarks(config: &Config, board: Board) -> Vec<Diagnostic> {
    let alone = half_a_split_point(config).into_iter().map(|(name, others)| {
        let place = config.get(name).and_then(|traced| traced.origin.place.as_ref());
        let message = format!("`{name}` has no effect without {others}");
        Diagnostic::note("config/ignored", message).at_place(place)
    });
    let mut remarks: Vec<Diagnostic> = alone.collect();
    remarks.extend(beyond_the_device(config, board));
    remarks
}

/// The parts of a split point that say nothing without the others, which are named.
pub(super) fn half_a_split_point(config: &Config) -> Vec<(&'static str, String)> {
    let parts = ["graph_cleaner_node", "graph_cleaner_condition"];
    let effective = config.effective();
    let is_given = [effective.graph_cleaner_node.is_some(), effective.graph_cleaner_condition.is_some()];
    let mut idle: Vec<(&'static str, String)> = Vec::new();
    match is_given {
        [true, false] => idle.push((parts[0], format!("`{}`", parts[1]))),
        [false, true] => idle.push((parts[1], format!("`{}`", parts[0]))),
        [true, true] | [false, false] => {}
    }
    if effective.graph_cleaner_threshold != 0 && is_given != [true, true] {
        idle.push(("graph_cleaner_threshold", format!("`{}` and `{}`", parts[0], parts[1])));
    }
    idle
}

/// Sizes of memories that the device does not have.
fn beyond_the_device(config: &Config, board: Board) -> Vec<Diagnostic> {
    let Some([l1, l2, ddr]) = board.memory() else { return Vec::new() };
    let effective = config.effective();
    let bounded = |size: i64, bound: Option<i64>| bound.map_or(size, |bound| size.min(bound));
    let whole = effective.ddr_size_max;
    let sizes = [
        (
            "l1_size_used",
            bounded(effective.l1_size_used, effective.l1_constraint),
            l1,
            "a core of the device has {} of L1",
        ),
        ("l2_size_used", bounded(effective.l2_size_used, effective.l2_constraint), l2, "the device has {} of L2"),
        ("ddr_size_max", bounded(whole, effective.ddr_constraint), ddr, "the device has {} of DDR"),
        ("ddr_size_used", bounded(effective.ddr_size_used, effective.ddr_constraint), whole, "`ddr_size_max` is {}"),
    ];
    let beyond = sizes.into_iter().filter(|(_, size, device, _)| size > device);
    let warning = |(name, size, device, has): (&str, i64, i64, &str)| {
        let place = config.get(name).and_then(|traced| traced.origin.place.as_ref());
        let message = format!("`{name}` is {size} bytes, and {}", has.replace("{}", &format!("{device} bytes")));
        let hint = match name {
            "ddr_size_used" => "no more than `ddr_size_max` is used".to_owned(),
            _ => format!("a plan that uses more does not run there; leave it out, or write at most {device}"),
        };
        Diagnostic::warning("config/beyond-device", message).at_place(place).hint(hint)
    };
    beyond.map(warning).collect()
}
