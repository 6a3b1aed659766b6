//! Weights stored beside the ONNX file ("external data"): bytes come through a trait, so that whoever calls the compiler
//! decides what may be read.

/// Gives the bytes of a tensor that is stored outside its file (ONNX "External Data").
pub trait ExternalData {
    /// `length` bytes of the file called `location` from `offset` on; a message without final period when there are none.
    fn read(&self, location: &str, offset: u64, length: u64) -> Result<Vec<u8>, String>;
}

/// Refuses every request: the model must be whole in its file.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoExternalData;

impl ExternalData for NoExternalData {
    fn read(&self, location: &str, _offset: u64, _length: u64) -> Result<Vec<u8>, String> {
        Err(format!("its values are in another file, `{location}`, and no folder to read it from is given"))
    }
}
