//! The blocks to convert: which settings of which model or board become one file, and what of the card is edited for it.

use super::body::Body;
use super::body::body;
use super::comments;
use super::render::render;
use crate::cards::Card;
use crate::cards::Model;
use crate::config::Board;
use crate::config::Resolver;
use crate::config::Setting;
use crate::diag::Diagnostic;
use crate::diag::Place;
use crate::diag::Span;
use crate::yaml::Edit;
use crate::yaml::EditError;
use crate::yaml::Editor;
use crate::yaml::Node;
use crate::yaml::scalar_text;

/// The keys that are edited.
pub(super) const INLINE: &str = "compilation_config";
pub(super) const FILE: &str = "compiler_config_file";

/// What becomes one file.
#[derive(Debug)]
pub(super) struct Block {
    pub(super) model: String,
    /// The board, of a board's settings.
    pub(super) board: Option<Board>,
    pub(super) body: Body,
    /// The base file that was merged, as users see it.
    pub(super) base: Option<String>,
    /// The bytes of the block's key, or of the name of the base file.
    pub(super) key: Span,
    /// The mapping that the block stands in: `extra_kwargs`, or a board's block of it.
    pub(super) container: Span,
}

/// The blocks of the wanted models of a card.
///
/// # Errors
/// Why this card is not converted.
pub(super) fn select(
    card: &Card,
    editor: &Editor<'_>,
    wanted: &dyn Fn(&str) -> bool,
    resolver: &Resolver,
    keep_defaults: bool,
) -> Result<Vec<Block>, Vec<Diagnostic>> {
    let mut blocks: Vec<Block> = Vec::new();
    let mut problems = Vec::new();
    for model in card.models.iter().filter(|model| wanted(&model.name.value)) {
        let mut selection = Selection { card, editor, resolver, keep_defaults, model };
        match selection.blocks() {
            // Models that share their settings by an alias share the block, which is converted once.
            Ok(found) => blocks.extend(found),
            Err(found) => problems.extend(
                found
                    .into_iter()
                    .map(|problem| problem.network(card.name.value.as_str()).model(model.name.value.as_str())),
            ),
        }
    }
    let mut seen = Vec::new();
    blocks.retain(|block| {
        let new = !seen.contains(&block.container);
        seen.push(block.container);
        new
    });
    if problems.is_empty() { Ok(blocks) } else { Err(problems) }
}

struct Selection<'a> {
    card: &'a Card,
    editor: &'a Editor<'a>,
    resolver: &'a Resolver,
    keep_defaults: bool,
    model: &'a Model,
}

/// A mapping that may hold a block and the name of a file.
struct Container<'a> {
    node: &'a Node,
    inline: Option<&'a Node>,
    file: Option<(String, Place)>,
}

impl<'a> Selection<'a> {
    fn blocks(&mut self) -> Result<Vec<Block>, Vec<Diagnostic>> {
        let extra = &self.model.extra;
        let converted =
            extra.compilation_config.is_some() || extra.boards.values().any(|board| board.compilation_config.is_some());
        if !converted {
            return Ok(Vec::new());
        }
        let models = self.child(Some(self.editor.root()), "models")?;
        let model = self.child(models, &self.model.name.value)?;
        let extra = self.child(model, "extra_kwargs")?;
        let Some(general) = self.container(extra)? else { return Ok(Vec::new()) };
        let mut blocks = Vec::new();
        if let Some(inline) = general.inline {
            blocks.push(self.block(None, &general, general.file.as_ref(), Some(inline), Some(inline))?);
        }
        for board in Board::WORDS.iter().filter_map(|word| Board::from_word(word)) {
            let block = self.child(extra, board.word())?;
            let Some(own) = self.container(block)? else { continue };
            let base = own.file.as_ref().or(general.file.as_ref());
            match (own.inline, &own.file, general.inline) {
                (Some(inline), _, _) => blocks.push(self.block(Some(board), &own, base, Some(inline), Some(inline))?),
                // The general block stood over the board's file.
                (None, Some(_), Some(inline)) => {
                    blocks.push(self.block(Some(board), &own, base, Some(inline), None)?);
                }
                _ => {}
            }
        }
        Ok(blocks)
    }

    fn refuse(&self, error: &EditError) -> Vec<Diagnostic> {
        let mut problem = error.diagnostic(&self.card.source);
        problem.code = "convert/place";
        problem.message = format!("the settings of `{}` cannot be edited: {error}", self.model.name.value);
        vec![problem]
    }

    fn child(&self, node: Option<&'a Node>, key: &str) -> Result<Option<&'a Node>, Vec<Diagnostic>> {
        match node.filter(|node| node.is_mapping()) {
            Some(node) => self.editor.child(node, key).map_err(|error| self.refuse(&error)),
            None => Ok(None),
        }
    }

    fn container(&self, node: Option<&'a Node>) -> Result<Option<Container<'a>>, Vec<Diagnostic>> {
        let Some(node) = node.filter(|node| node.is_mapping()) else { return Ok(None) };
        let inline = self.child(Some(node), INLINE)?.filter(|inline| !inline.is_null());
        // A file that a merge brings is hidden by an entry of one's own.
        let file = node
            .get(FILE)
            .and_then(|file| Some((file.as_text()?.to_owned(), Place::new(&self.card.source, file.span))));
        Ok(Some(Container { node, inline, file }))
    }

    /// `commented` is the block whose comments come along: `inline`, unless they are in another file already.
    fn block(
        &self,
        board: Option<Board>,
        container: &Container<'a>,
        base: Option<&(String, Place)>,
        inline: Option<&'a Node>,
        commented: Option<&'a Node>,
    ) -> Result<Block, Vec<Diagnostic>> {
        let source = &self.card.source;
        let (base, shown) = match base {
            None => (Vec::new(), None),
            Some(base) => {
                let (path, settings) = self.resolver.settings_of_file(base, &self.card.folder)?;
                (settings, Some(self.resolver.search.display(&path)))
            }
        };
        let settings: Vec<Setting> = match inline {
            Some(inline) => self.resolver.settings_of_inline(inline, source)?,
            None => Vec::new(),
        };
        let (comments, rest) = match commented {
            None => (Vec::new(), Vec::new()),
            Some(inline) => {
                let extent = self.editor.extent(container.node, INLINE).map_err(|error| self.refuse(&error))?;
                let inside = extent.start <= inline.span.start && inline.span.end <= extent.end;
                let regions =
                    if inside { vec![extent] } else { vec![with_last_line(source.text(), inline.span), extent] };
                let mut scalars = comments::scalars(inline);
                scalars.push(Span::new(extent.start, extent.start + INLINE.len()));
                scalars.sort_by_key(|span| span.start);
                comments::collect(source.text(), &regions, &scalars, &settings)
            }
        };
        let key = if container.inline.is_some() { INLINE } else { FILE };
        let key = container.node.entry(key).map_or(container.node.span, |(key, _)| key.span);
        let body = body(&base, &settings, comments, rest, self.keep_defaults);
        if let Err(error) = render(&body) {
            return Err(vec![
                Diagnostic::error("convert/not-toml", error.to_string()).hint(error.hint()).at(source, key),
            ]);
        }
        Ok(Block {
            model: self.model.name.value.clone(),
            board,
            body,
            base: shown,
            key,
            container: container.node.span,
        })
    }
}

/// A block that stands elsewhere, with the comment behind its last line; one in flow style ends with its brace.
fn with_last_line(text: &str, span: Span) -> Span {
    let rest = text.get(span.end..).unwrap_or_default();
    let flow = text.get(span.start..).is_some_and(|text| text.starts_with('{'));
    Span::new(span.start, if flow { span.end } else { span.end + rest.find('\n').unwrap_or(rest.len()) })
}

/// The edits that make a block's container name `file` and hold no block.
///
/// # Errors
/// The entries cannot be edited where they stand.
pub(super) fn edits(editor: &Editor<'_>, container: &Node, file: &str) -> Result<Vec<Edit>, EditError> {
    let name = scalar_text(file);
    let has_inline = container.get(INLINE).is_some();
    if matches!(editor.child(container, FILE), Ok(Some(_))) {
        let mut edits = vec![editor.replace_value(container, FILE, &name)?];
        if has_inline {
            edits.push(editor.remove(container, INLINE)?);
        }
        return Ok(edits);
    }
    Ok(vec![editor.replace_entry(container, INLINE, &format!("{FILE}: {name}"))?])
}
