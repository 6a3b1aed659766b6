//! One entry under `datasets:`, and which folder of images a model is calibrated or judged with.

use std::path::Path;
use std::path::PathBuf;

use super::Card;
use super::Model;
use super::PathValue;
use super::Spanned;
use super::fields::Fields;
use super::paths::UndefinedVariable;
use super::paths::expand;
use crate::base::fs;
use crate::diag::Diagnostic;
use crate::diag::Place;
use crate::imaging::ColorFormat;
use crate::yaml::Node;

/// One dataset of a card. Keys that are not named here belong to the SDK's dataset class, and stay in `node`.
#[derive(Debug, Clone, PartialEq)]
pub struct Dataset {
    /// The key under `datasets:`.
    pub name: Spanned<String>,
    /// `class`.
    pub class: Option<Spanned<String>>,
    /// `class_path`.
    pub class_path: Option<PathValue>,
    /// `data_dir_name`: a folder below the data root.
    pub data_dir_name: Option<Spanned<String>>,
    /// `repr_imgs_dir_path`: a folder of calibration images.
    pub repr_imgs_dir_path: Option<PathValue>,
    /// `repr_imgs_url`: an archive of that folder.
    pub repr_imgs_url: Option<Spanned<String>>,
    /// `repr_imgs_md5` of the archive, 32 hexadecimal digits as written.
    pub repr_imgs_md5: Option<Spanned<String>>,
    /// `cal_data`: images for calibration, as written.
    pub cal_data: Option<Spanned<String>>,
    /// `val_data`: images for evaluation, as written.
    pub val_data: Option<Spanned<String>>,
    /// `labels_path`: one class name a line.
    pub labels_path: Option<PathValue>,
    /// `repr_imgs_dataloader_color_format`: the colours that a preprocess outside the card expects.
    pub repr_imgs_dataloader_color_format: Option<Spanned<ColorFormat>>,
    /// The whole entry.
    pub node: Node,
}

impl Dataset {
    pub(super) fn read(fields: &mut Fields<'_>, key: &Node, node: &Node) -> Option<Self> {
        let name = key.as_text()?.to_owned();
        if !node.is_mapping() && !node.is_null() {
            let message = format!("the dataset `{name}`: expected a mapping, found {}", node.describe());
            fields.error("card/type", node.span, message, None);
            return None;
        }
        Some(Self {
            class: fields.text(node, "class"),
            class_path: fields.path(node, "class_path"),
            data_dir_name: fields.text(node, "data_dir_name"),
            repr_imgs_dir_path: fields.path(node, "repr_imgs_dir_path"),
            repr_imgs_url: fields.text(node, "repr_imgs_url"),
            repr_imgs_md5: fields.md5(node, "repr_imgs_md5"),
            cal_data: fields.text(node, "cal_data"),
            val_data: fields.text(node, "val_data"),
            labels_path: fields.path(node, "labels_path"),
            repr_imgs_dataloader_color_format: fields.parsed(node, "repr_imgs_dataloader_color_format"),
            name: Spanned::new(name, key.span),
            node: node.clone(),
        })
    }
}

/// A folder of images that a card names; whether it exists is for the caller to see.
#[derive(Debug, Clone, PartialEq)]
pub struct ImageFolder {
    /// The folder.
    pub folder: PathBuf,
    /// The key of the card that named it: `repr_imgs_dir_path`, `cal_data`, `data_dir_name` or `val_data`.
    pub key: &'static str,
    /// Where it is named.
    pub place: Place,
    /// Where an archive of it can be fetched.
    pub url: Option<Spanned<String>>,
    /// The md5 of that archive.
    pub md5: Option<Spanned<String>>,
}

impl Card {
    /// The dataset that a model names.
    #[must_use]
    pub fn dataset_of(&self, model: &Model) -> Option<&Dataset> {
        let name = &model.dataset.as_ref()?.value;
        self.datasets.iter().find(|dataset| &dataset.name.value == name)
    }

    /// The folder whose images calibrate a model: `repr_imgs_dir_path`, else `cal_data`, else `data_dir_name` below the
    /// data root (SPEC 8). It need not exist.
    ///
    /// # Errors
    /// `card/dataset-missing`, `card/dataset-undefined` when there is no such dataset; `card/no-images` when it names
    /// no folder; `card/undefined-variable` when the path has one.
    pub fn calibration(&self, model: &Model) -> Result<ImageFolder, Box<Diagnostic>> {
        let dataset = self.required_dataset(model)?;
        if let Some(path) = &dataset.repr_imgs_dir_path {
            return match &path.resolved {
                Ok(folder) => Ok(ImageFolder {
                    folder: folder.clone(),
                    key: "repr_imgs_dir_path",
                    place: path.place.clone(),
                    url: dataset.repr_imgs_url.clone(),
                    md5: dataset.repr_imgs_md5.clone(),
                }),
                Err(error) => Err(Box::new(self.undefined(error, &path.place).model(model.name.value.as_str()))),
            };
        }
        if let Some(written) = &dataset.cal_data {
            return self.data_folder(model, dataset, "cal_data", written);
        }
        if let Some(name) = &dataset.data_dir_name {
            return Ok(self.plain_folder(self.data_root.join(&name.value), "data_dir_name", name));
        }
        let message = format!("the dataset `{}` names no images", dataset.name.value);
        let problem = Diagnostic::error("card/no-images", message).at(&self.source, dataset.name.span);
        let hint = "give `repr_imgs_dir_path`, `cal_data` or `data_dir_name`";
        Err(Box::new(problem.hint(hint).network(self.name.value.as_str()).model(model.name.value.as_str())))
    }

    /// The folder of held-out images (`val_data`), if the model's dataset names one.
    ///
    /// # Errors
    /// As [`Card::calibration`].
    pub fn evaluation(&self, model: &Model) -> Result<Option<ImageFolder>, Box<Diagnostic>> {
        let Some(dataset) = self.dataset_of(model) else { return Ok(None) };
        let Some(written) = &dataset.val_data else { return Ok(None) };
        self.data_folder(model, dataset, "val_data", written).map(Some)
    }

    fn required_dataset(&self, model: &Model) -> Result<&Dataset, Box<Diagnostic>> {
        let error = |code, span, message: String| {
            let problem = Diagnostic::error(code, message).at(&self.source, span);
            problem.network(self.name.value.as_str()).model(model.name.value.as_str())
        };
        let Some(name) = &model.dataset else {
            let message = format!("the model `{}` names no dataset, so there are no images", model.name.value);
            let hint = "give the model a `dataset:` and describe it under `datasets:`";
            return Err(Box::new(error("card/dataset-missing", model.name.span, message).hint(hint)));
        };
        self.dataset_of(model).ok_or_else(|| {
            let message = format!("the dataset `{}` is not defined under `datasets:`", name.value);
            Box::new(error("card/dataset-undefined", name.span, message))
        })
    }

    /// A variable that a needed path has, and that is not set.
    pub(super) fn undefined(&self, error: &UndefinedVariable, place: &Place) -> Diagnostic {
        Diagnostic::error("card/undefined-variable", error.to_string())
            .at(&place.source, place.span)
            .hint(format!("set it, for example `export {}=…`", error.name))
            .network(self.name.value.as_str())
    }

    fn plain_folder(&self, folder: PathBuf, key: &'static str, text: &Spanned<String>) -> ImageFolder {
        ImageFolder { folder, key, place: Place::new(&self.source, text.span), url: None, md5: None }
    }

    /// `cal_data` and `val_data` lie below the dataset's folder; beside the card is looked at too.
    fn data_folder(
        &self,
        model: &Model,
        dataset: &Dataset,
        key: &'static str,
        written: &Spanned<String>,
    ) -> Result<ImageFolder, Box<Diagnostic>> {
        let place = Place::new(&self.source, written.span);
        let text = expand(&written.value, &self.variables)
            .map_err(|error| Box::new(self.undefined(&error, &place).model(model.name.value.as_str())))?;
        let below = match &dataset.data_dir_name {
            Some(name) => self.data_root.join(&name.value).join(&text),
            None => self.data_root.join(&text),
        };
        let beside = self.folder.join(&text);
        let folder =
            if Path::new(&text).is_relative() && !fs::exists(&below) && fs::exists(&beside) { beside } else { below };
        Ok(self.plain_folder(folder, key, written))
    }
}
