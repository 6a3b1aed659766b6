//! `axzoo compile`, typed as the documents type it.

mod failures;
mod folder;
mod full;
mod made;
mod manifests;
mod properties;
mod real;
mod safe;
mod transform;
mod typed;
