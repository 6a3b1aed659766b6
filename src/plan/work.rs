//! A step's settings together with where they were said.

use std::collections::BTreeMap;

use super::{Settings, StepSettings};

/// What a step of a real build carries.
#[derive(Debug, Clone)]
pub struct StepWork {
    /// Exactly what the step reads.
    pub settings: Settings,
    /// Setting → file and line that said it; not part of the key.
    pub origins: BTreeMap<String, (String, usize)>,
}

impl StepSettings for StepWork {
    fn record(&self) -> BTreeMap<String, String> {
        self.settings.flat()
    }

    fn origin(&self, key: &str) -> Option<(String, usize)> {
        // The package holds every property under a name of its own.
        let key = key.strip_prefix("compile_config.").unwrap_or(key);
        // `preprocess.operators[2].mean[0]` was said where `preprocess` was.
        let mut shorter = Some(key);
        while let Some(name) = shorter {
            if let Some(origin) = self.origins.get(name) {
                return Some(origin.clone());
            }
            shorter = name.rfind(['.', '[']).and_then(|end| name.get(..end));
        }
        None
    }
}
