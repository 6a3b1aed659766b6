//! What a card says about a model's configuration, as the room of configurations asks it.

use super::Card;
use super::Model;
use super::Spanned;
use crate::config::Board;
use crate::config::BoardRequest;
use crate::config::CoreSettings;
use crate::config::Request;
use crate::diag::Place;

impl Card {
    /// The request for one of this card's models on a board; what the command line adds is added by the caller.
    #[must_use]
    pub fn request<'a>(&'a self, model: &'a Model, board: Board) -> Request<'a> {
        let extra = &model.extra;
        let text = |text: &Spanned<String>| (text.value.clone(), Place::new(&self.source, text.span));
        let count = |count: &Spanned<u32>| (count.value, Place::new(&self.source, count.span));
        let flag = |flag: &Spanned<bool>| (flag.value, Place::new(&self.source, flag.span));
        let board = extra.boards.get(board.word()).map(|board| BoardRequest {
            cores: CoreSettings {
                aipu_cores: board.aipu_cores.as_ref().map(count),
                max_compiler_cores: board.max_compiler_cores.as_ref().map(count),
                max_execution_cores: board.max_execution_cores.as_ref().map(count),
                low_latency: board.low_latency.as_ref().map(flag),
            },
            compiler_config_file: board.compiler_config_file.as_ref().map(text),
            inline: board.compilation_config.as_ref().map(|node| (node, &self.source)),
        });
        Request {
            network: &self.name.value,
            model: &model.name.value,
            card_folder: self.folder.clone(),
            cores: CoreSettings {
                aipu_cores: extra.aipu_cores.as_ref().map(count),
                max_compiler_cores: extra.max_compiler_cores.as_ref().map(count),
                max_execution_cores: extra.max_execution_cores.as_ref().map(count),
                low_latency: extra.low_latency.as_ref().map(flag),
            },
            compiler_config_file: extra.compiler_config_file.as_ref().map(text),
            inline: extra.compilation_config.as_ref().map(|node| (node, &self.source)),
            board,
            ..Request::default()
        }
    }
}
