//! The files and folders that a card names: present, and with the checksum that the card gives (SPEC 10).

use std::path::Path;

use crate::base::fs;
use crate::cards::Card;
use crate::cards::Model;
use crate::cards::ModelKind;
use crate::cards::PathValue;
use crate::cards::Spanned;
use crate::diag::Diagnostic;
use crate::yaml::Node;

/// One file or folder that a card names.
struct Named<'a> {
    what: &'static str,
    path: &'a PathValue,
    url: bool,
    md5: Option<&'a Spanned<String>>,
    folder: bool,
}

impl Named<'_> {
    fn check(&self, card: &Card, model: Option<&Model>, problems: &mut Vec<Diagnostic>) {
        // An unset variable has been reported.
        let Some(path) = self.path.path() else { return };
        let about = |problem: Diagnostic| match model {
            Some(model) => problem.model(model.name.value.as_str()),
            None => problem,
        };
        let at = Some(&self.path.place);
        let present = if self.folder { fs::is_folder(path) } else { fs::is_file(path) };
        if !present {
            let kind = if self.folder { "folder" } else { "file" };
            let problem = if fs::exists(path) {
                let found = if fs::is_folder(path) { "folder" } else { "file" };
                let message = format!("{}: expected a {kind}, found the {found} `{}`", self.what, self.path.written);
                Diagnostic::warning("file/kind", message).hint(format!("name the {kind}, relative to the card"))
            } else if self.url {
                let message = format!("{}: the {kind} `{}` is not here yet", self.what, self.path.written);
                Diagnostic::note("file/missing", message).hint("download it from the URL in the card and put it there")
            } else {
                let message = format!("{}: the {kind} `{}` does not exist", self.what, self.path.written);
                Diagnostic::warning("file/missing", message).hint(looked_at(card, path))
            };
            problems.push(about(problem.at_place(at)));
            return;
        }
        let Some(expected) = self.md5 else { return };
        match fs::md5(path) {
            Ok(found) if found.eq_ignore_ascii_case(&expected.value) => {}
            Ok(found) => {
                let message = format!(
                    "{}: the md5 of `{}` is `{found}`, the card says `{}`",
                    self.what, self.path.written, expected.value
                );
                problems.push(about(
                    Diagnostic::error("file/md5", message)
                        .at(&card.source, expected.span)
                        .hint("the file is damaged or another version; download it again, or correct the md5"),
                ));
            }
            Err(error) => {
                let error = error.shown_as(card.shown(path));
                let problem = Diagnostic::error("file/unreadable", error.to_string()).at_place(at);
                problems.push(about(problem.maybe_hint(error.hint())));
            }
        }
    }
}

fn looked_at(card: &Card, path: &Path) -> String {
    format!("looked at `{}`", card.shown(path))
}

/// Weights, ready-made archives and the class file of a model.
pub(super) fn of_model(card: &Card, model: &Model, problems: &mut Vec<Diagnostic>) {
    let mut check = |what, path: Option<&PathValue>, url: bool, md5: Option<&Spanned<String>>| {
        if let Some(path) = path {
            Named { what, path, url, md5, folder: false }.check(card, Some(model), problems);
        }
    };
    if model.kind == ModelKind::DeepLearning {
        check("weights", model.weights.as_ref(), model.weight_url.is_some(), model.weight_md5.as_ref());
    }
    for (what, ready) in [("prequantized archive", &model.prequantized), ("precompiled archive", &model.precompiled)] {
        check(what, ready.path.as_ref(), ready.url.is_some(), ready.md5.as_ref());
    }
    check("class", model.class_path.as_ref(), false, None);
}

/// Labels, class files and folders of images of the datasets.
pub(super) fn of_datasets(card: &Card, problems: &mut Vec<Diagnostic>) {
    for dataset in &card.datasets {
        let mut check = |what, path: Option<&PathValue>, url, folder| {
            if let Some(path) = path {
                Named { what, path, url, md5: None, folder }.check(card, None, problems);
            }
        };
        check("class", dataset.class_path.as_ref(), false, false);
        check("labels", dataset.labels_path.as_ref(), false, false);
        check("calibration images", dataset.repr_imgs_dir_path.as_ref(), dataset.repr_imgs_url.is_some(), true);
    }
    // Folders below the data root are looked at only where a model is calibrated or judged with them.
    for model in card.models.iter().filter(|model| model.kind == ModelKind::DeepLearning) {
        let calibration = card.calibration(model).ok().filter(|images| images.key != "repr_imgs_dir_path");
        let evaluation = card.evaluation(model).ok().flatten();
        for images in calibration.into_iter().chain(evaluation) {
            if !fs::exists(&images.folder) {
                let message =
                    format!("images: the folder `{}` of `{}` does not exist", card.shown(&images.folder), images.key);
                problems.push(
                    Diagnostic::warning("file/missing", message)
                        .at_place(Some(&images.place))
                        .hint("put images there; `--data-root` says where the folders of datasets lie")
                        .model(model.name.value.as_str()),
                );
            }
        }
    }
}

/// The class files of the card's own operators.
pub(super) fn of_operators(card: &Card, problems: &mut Vec<Diagnostic>) {
    for (_, operator) in card.node.get("operators").into_iter().flat_map(Node::entries) {
        if let Some(path) = card.path_under(operator, "class_path") {
            Named { what: "class", path: &path, url: false, md5: None, folder: false }.check(card, None, problems);
        }
    }
}
