//! How pictures become a model's input: from the pipeline, from a template, or from `extra_kwargs.axzoo`.

use super::Card;
use super::Model;
use super::Operator;
use super::Task;
use super::substitute::Substitution;
use crate::diag::Diagnostic;
use crate::diag::Place;
use crate::diag::Span;
use crate::imaging::ColorFormat;
use crate::imaging::Preprocess;
use crate::imaging::PreprocessOperator;
use crate::yaml::Kind;
use crate::yaml::Node;

/// Arguments that hold only while accuracy is measured (voyager-semantics 3.9).
const ONLY_IN_EVALUATION: [&str; 2] = ["eval", "pair_eval"];

impl Card {
    /// The preprocess of a model, for one picture: the operators of the first task that uses it, template included,
    /// else `extra_kwargs.axzoo.preprocess`. The first operator sees the colours of `input.color_format`, else of the
    /// model's `input_color_format`. The shape has a batch of 1.
    ///
    /// # Errors
    /// Everything that is wrong with them, or that there are none (`card/no-preprocess`).
    pub fn preprocess_of(&self, model: &Model) -> Result<Preprocess, Vec<Diagnostic>> {
        let about = |problem: Diagnostic| problem.network(self.name.value.as_str()).model(model.name.value.as_str());
        let mut color = None;
        if let Some(task) = self.tasks_of(&model.name.value).next() {
            let (found, in_task) = self.preprocess_in(model, task)?;
            if let Some(found) = found {
                return Ok(found);
            }
            color = in_task;
        }
        let own = &model.extra.axzoo.preprocess;
        if own.is_empty() {
            let message = format!("the model `{}` has no preprocess in its pipeline or template", model.name.value);
            let hint = "list the operators under `preprocess:` of its task, or under `extra_kwargs.axzoo.preprocess` of \
                        the model";
            return Err(vec![about(
                Diagnostic::error("card/no-preprocess", message).at(&self.source, model.name.span).hint(hint),
            )]);
        }
        let color = color.or_else(|| {
            let dataset = self.dataset_of(model)?;
            dataset.repr_imgs_dataloader_color_format.as_ref().map(|color| color.value)
        });
        let mut substitution = Substitution::new(model, 0);
        let own: Vec<Operator> = own
            .iter()
            .map(|operator| Operator { name: operator.name.clone(), arguments: substitution.tree(&operator.arguments) })
            .collect();
        if !substitution.problems.is_empty() {
            let problems = substitution.problems.into_iter();
            return Err(problems
                .map(|problem| {
                    let place = Place::new(&self.source, problem.span);
                    about(Diagnostic::error(problem.code, problem.message).at_place(Some(&place)).hint(problem.hint))
                })
                .collect());
        }
        self.assembled(model, &own, color, |span| Place::new(&self.source, span))
    }

    /// Where each operator of [`Self::preprocess_of`] is written, in order: in the card or in its template. Nothing where
    /// that has errors.
    #[must_use]
    pub fn operator_places(&self, model: &Model) -> Vec<Place> {
        let task = self.tasks_of(&model.name.value).next();
        let Ok(resolved) = task.map(|task| self.resolve_task(task)).transpose() else { return Vec::new() };
        match resolved {
            Some(task) if !task.preprocess.is_empty() => {
                task.preprocess.iter().map(|operator| task.place(operator.name.span)).collect()
            }
            _ => {
                let own = model.extra.axzoo.preprocess.iter();
                own.map(|operator| Place::new(&self.source, operator.name.span)).collect()
            }
        }
    }

    /// The preprocess that one task gives a model, template included, if it has operators; and the colours of its input.
    ///
    /// # Errors
    /// Everything that is wrong with them.
    pub fn preprocess_in(
        &self,
        model: &Model,
        task: &Task,
    ) -> Result<(Option<Preprocess>, Option<ColorFormat>), Vec<Diagnostic>> {
        let resolved = self.resolve_task(task)?;
        let place = |span| resolved.place(span);
        let about = |problem: Diagnostic| problem.network(self.name.value.as_str()).model(model.name.value.as_str());
        let color = input_color(&resolved.input, place).map_err(|problem| vec![about(*problem)])?;
        if resolved.preprocess.is_empty() {
            return Ok((None, color));
        }
        Ok((Some(self.assembled(model, &resolved.preprocess, color, place)?), color))
    }

    fn assembled(
        &self,
        model: &Model,
        operators: &[Operator],
        color: Option<ColorFormat>,
        place: impl Fn(Span) -> Place,
    ) -> Result<Preprocess, Vec<Diagnostic>> {
        let about = |problem: Diagnostic| problem.network(self.name.value.as_str()).model(model.name.value.as_str());
        let mut problems = Vec::new();
        let mut read = Vec::with_capacity(operators.len());
        for operator in operators {
            match PreprocessOperator::parse(&operator.name.value, &in_calibration(operator)) {
                Ok(operator) => read.push(operator),
                Err(found) => problems.extend(found.into_iter().map(|problem| {
                    let at = place(problem.span);
                    about(
                        Diagnostic::error("card/operator", problem.message)
                            .at_place(Some(&at))
                            .maybe_hint(problem.hint),
                    )
                })),
            }
        }
        let Some(shape) = model.input_shape else {
            let message = format!("the model `{}` has no `input_tensor_shape`", model.name.value);
            problems.push(about(Diagnostic::error("card/missing-key", message).at(&self.source, model.name.span)));
            return Err(problems);
        };
        let [_, channels, height, width] = model.layout.to_nchw(shape);
        let preprocess = Preprocess {
            operators: read,
            input_color: color.unwrap_or(model.color),
            layout: model.layout,
            shape: model.layout.from_nchw([1, channels, height, width]),
        };
        if !problems.is_empty() {
            return Err(problems);
        }
        if let Err(error) = preprocess.check() {
            let at = operators
                .first()
                .map_or_else(|| Place::new(&self.source, model.name.span), |operator| place(operator.name.span));
            let problem = Diagnostic::error("card/preprocess", error.to_string()).at_place(Some(&at));
            return Err(vec![about(problem.maybe_hint(error.hint()))]);
        }
        Ok(preprocess)
    }
}

/// `color_format` of a resolved input.
fn input_color(input: &Node, place: impl Fn(Span) -> Place) -> Result<Option<ColorFormat>, Box<Diagnostic>> {
    let Some(node) = input.get("color_format").filter(|node| !node.is_null()) else { return Ok(None) };
    match node.as_text().unwrap_or_default().parse::<ColorFormat>() {
        Ok(color) => Ok(Some(color)),
        Err(error) => {
            let message = format!("`color_format`: {error}");
            Err(Box::new(Diagnostic::error("card/value", message).at_place(Some(&place(node.span)))))
        }
    }
}

/// The arguments without those for evaluation; a span to point at when there are none.
fn in_calibration(operator: &Operator) -> Node {
    let kind = match &operator.arguments.kind {
        Kind::Mapping(entries) => Kind::Mapping(
            entries
                .iter()
                .filter(|(key, _)| !key.as_text().is_some_and(|key| ONLY_IN_EVALUATION.contains(&key)))
                .cloned()
                .collect(),
        ),
        kind => kind.clone(),
    };
    // A problem that concerns the operator as a whole points at its name.
    Node { span: operator.name.span, kind }
}
