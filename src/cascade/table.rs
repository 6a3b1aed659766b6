//! A budget as a table and as JSON.

use std::fmt::Write;

use serde_json::Value as Json;
use serde_json::json;

use crate::diag::printable;

use super::budget::Budget;
use super::budget::ModelBudget;

/// Longest name that stands in the line of its figures, so that the line ends before column 80.
const LONGEST_NAME: usize = 36;

/// The figures of one model as a person writes them down: `3 × 1 = 3` cores and `1 × 0.75 = 0.75` of the memory.
struct Row {
    name: String,
    cores: String,
    memory: String,
    /// A line of its own under the figures.
    remark: Option<String>,
}

/// The budget as one writes it on paper, a line a model and the sums with their limits under them; ends in a newline.
#[must_use]
pub fn render(budget: &Budget) -> String {
    let widest = |texts: &mut dyn Iterator<Item = String>| texts.map(|text| text.chars().count()).max().unwrap_or(0);
    let total = widest(&mut budget.models.iter().map(|model| model.execution_cores.to_string()));
    let total = total.max(budget.total_cores.to_string().len());
    let resources = widest(&mut budget.models.iter().map(|model| model.resources.to_string()));
    let mut rows: Vec<Row> =
        budget.models.iter().map(|model| row(model, total, resources, budget.device_cores)).collect();
    rows.push(Row {
        name: "in all".to_owned(),
        cores: format!("        {:>total$} of {}", budget.total_cores, budget.device_cores),
        memory: format!("    {:resources$}   {} of 1.0", "", budget.total_resources),
        remark: None,
    });
    let head = Row {
        name: "model".to_owned(),
        cores: "cores × instances".to_owned(),
        memory: "instances × resources".to_owned(),
        remark: None,
    };
    rows.insert(0, head);
    let fitting = rows.iter().map(|row| row.name.chars().count()).filter(|&length| length <= LONGEST_NAME);
    let names = fitting.max().unwrap_or(0);
    let cores = widest(&mut rows.iter().map(|row| row.cores.clone()));
    let verdict = if budget.ok { "fits" } else { "does not fit" };
    let mut text = format!("{}: {verdict}\n", printable(&budget.network));
    for Row { name, cores: on_cores, memory, remark } in &rows {
        let mut name = name.as_str();
        if name.chars().count() > names {
            let _ = writeln!(text, "  {name}");
            name = "";
        }
        let line = format!("  {name:names$}  {on_cores:cores$}  {memory}");
        let _ = writeln!(text, "{}", line.trim_end());
        if let Some(remark) = remark {
            let _ = writeln!(text, "  {:names$}  {remark}", "");
        }
    }
    text
}

fn row(model: &ModelBudget, total: usize, resources: usize, device_cores: u32) -> Row {
    let name = printable(&model.name);
    let remark = model.asked_cores.map(|asked| format!("({asked} asked for, the device has {device_cores})"));
    if model.cores == 0 {
        return Row { name, cores: "none".to_owned(), memory: "none".to_owned(), remark };
    }
    if model.instances == 0 {
        let memory = format!("? × {:resources$} = ?", model.resources.to_string());
        return Row {
            name, cores: format!("{} × ? = {:>total$}", model.cores, model.execution_cores), memory, remark
        };
    }
    Row {
        name,
        cores: format!("{} × {} = {:>total$}", model.cores, model.instances, model.execution_cores),
        memory: format!(
            "{} × {:resources$} = {}",
            model.instances,
            model.resources.to_string(),
            model.total_resources()
        ),
        remark,
    }
}

/// The object of SPEC 10: `{"networks":[{"network","ok","device_cores","models":[{"model","cores","execution_cores",
/// "instances","resources"}],"total_cores","total_resources"}]}`; shares are numbers.
#[must_use]
pub fn to_json(budgets: &[Budget]) -> Json {
    let network = |budget: &Budget| {
        let model = |model: &ModelBudget| {
            json!({
                "model": model.name,
                "cores": model.cores,
                "execution_cores": model.execution_cores,
                "instances": model.instances,
                "resources": model.resources.decimal(),
            })
        };
        json!({
            "network": budget.network,
            "ok": budget.ok,
            "device_cores": budget.device_cores,
            "models": budget.models.iter().map(model).collect::<Vec<_>>(),
            "total_cores": budget.total_cores,
            "total_resources": budget.total_resources.decimal(),
        })
    };
    json!({ "networks": budgets.iter().map(network).collect::<Vec<_>>() })
}
