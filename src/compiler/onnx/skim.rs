//! An ONNX file without its large tensors: what a check needs of a file of any size, in little time and memory. Values of
//! more than [`HELD`] bytes are stepped over in the file; their tensors keep name, type and shape, and are marked.

use std::io::BufReader;
use std::io::Read;
use std::io::Seek;

use crate::compiler::onnx::tensors;

/// Bytes of values that one tensor may have and still be read: shapes, scales and biases have fewer.
const HELD: u64 = 64 << 10;

/// Bytes that all that is read may have. The nodes of the largest networks take a few million.
const HELD_IN_ALL: usize = 64 << 20;

/// Entries (nodes, attributes, names, dimensions) that are read: each takes far more memory than it takes of the file.
const ENTRY_LIMIT: usize = 1 << 20;

/// The messages that are gone into, and what a field number means there.
#[derive(Clone, Copy)]
enum Message {
    Model,
    Graph,
    Node,
    Attribute,
    Tensor,
    /// `ValueInfoProto` and what is inside it down to one dimension: nothing in it is left out, all is counted.
    Value,
    Type,
    TensorType,
    Shape,
}

enum Field {
    /// Gone into.
    Inside(Message),
    /// The values of a tensor: left out where they are many.
    Values,
    /// `data_location` of a tensor.
    Location,
    /// Taken as it is.
    Whole,
}

/// What a field of a message is; numbers as in `onnx.proto` (see [`super::proto`]).
const fn field(message: Message, number: u64) -> Field {
    match (message, number) {
        (Message::Model, 7) => Field::Inside(Message::Graph),
        (Message::Graph, 1) => Field::Inside(Message::Node),
        (Message::Graph | Message::Attribute, 5) => Field::Inside(Message::Tensor),
        (Message::Graph, 11..=13) => Field::Inside(Message::Value),
        (Message::Node, 5) => Field::Inside(Message::Attribute),
        (Message::Tensor, 4 | 5 | 7 | 9 | 10 | 11) => Field::Values,
        (Message::Tensor, 14) => Field::Location,
        (Message::Value, 2) => Field::Inside(Message::Type),
        (Message::Type, 1) => Field::Inside(Message::TensorType),
        (Message::TensorType, 2) => Field::Inside(Message::Shape),
        _ => Field::Whole,
    }
}

/// Reads `file`, which is `length` bytes long, and gives it back as a smaller ONNX file. In it `data_location` is
/// [`tensors::UNREAD`] where values were left out. The error, a message, says why the bytes are no ONNX file.
pub(super) fn skim(file: impl Read + Seek, length: u64) -> Result<Vec<u8>, String> {
    let mut skimmer = Skimmer { file: BufReader::with_capacity(16 << 10, file), entries: 0, held: 0 };
    let mut held = Vec::new();
    skimmer.message(Message::Model, length, &mut held)?;
    Ok(held)
}

/// Refuses bytes that are no ONNX file, and a file of so many entries that decoding them would take far more memory than
/// the file. Neither decodes nor copies anything.
pub(super) fn count(bytes: &[u8]) -> Result<(), String> {
    entries(Message::Model, bytes, &mut 0)
}

fn entries(message: Message, mut rest: &[u8], entries_so_far: &mut usize) -> Result<(), String> {
    while !rest.is_empty() {
        counted(entries_so_far)?;
        let key = read_varint(&mut rest)?;
        let length = match key & 7 {
            0 => {
                read_varint(&mut rest)?;
                0
            }
            1 => 8,
            5 => 4,
            2 => read_varint(&mut rest)?,
            kind => return Err(format!("a part of it is of the unknown kind {kind}")),
        };
        let length = usize::try_from(length).map_err(|_| ENDS_EARLY)?;
        let (part, behind) = rest.split_at_checked(length).ok_or(ENDS_EARLY)?;
        rest = behind;
        if let (2, Field::Inside(inner)) = (key & 7, field(message, key >> 3)) {
            entries(inner, part, entries_so_far)?;
        }
    }
    Ok(())
}

fn counted(entries: &mut usize) -> Result<(), String> {
    *entries += 1;
    if *entries > ENTRY_LIMIT {
        return Err(format!("it has more than {ENTRY_LIMIT} nodes, attributes, names and dimensions"));
    }
    Ok(())
}

fn read_varint(bytes: &mut &[u8]) -> Result<u64, String> {
    let mut value = 0_u64;
    for place in 0..10 {
        let (&byte, rest) = bytes.split_first().ok_or(ENDS_EARLY)?;
        *bytes = rest;
        value |= u64::from(byte & 0x7f) << (7 * place);
        if byte < 0x80 {
            return Ok(value);
        }
    }
    Err("a number in it has more than ten bytes".to_owned())
}

struct Skimmer<F: Read + Seek> {
    file: BufReader<F>,
    entries: usize,
    held: usize,
}

const ENDS_EARLY: &str = "a part of it is longer than what it lies in";

fn write_varint(mut value: u64, out: &mut Vec<u8>) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

impl<F: Read + Seek> Skimmer<F> {
    /// A number, and how many bytes it took off `left`.
    fn varint(&mut self, left: &mut u64) -> Result<u64, String> {
        let mut value = 0_u64;
        for place in 0..10 {
            let mut byte = [0];
            *left = left.checked_sub(1).ok_or(ENDS_EARLY)?;
            self.file.read_exact(&mut byte).map_err(|error| unreadable(&error))?;
            value |= u64::from(byte[0] & 0x7f) << (7 * place);
            if byte[0] < 0x80 {
                return Ok(value);
            }
        }
        Err("a number in it has more than ten bytes".to_owned())
    }

    fn copy(&mut self, length: u64, left: &mut u64, out: &mut Vec<u8>) -> Result<(), String> {
        *left = left.checked_sub(length).ok_or(ENDS_EARLY)?;
        self.held = usize::try_from(length).map_or(usize::MAX, |length| self.held.saturating_add(length));
        if self.held > HELD_IN_ALL {
            return Err(format!("it has more than {HELD_IN_ALL} bytes beside its weights"));
        }
        let before = out.len();
        (&mut self.file).take(length).read_to_end(out).map_err(|error| unreadable(&error))?;
        if out.len() - before == length as usize { Ok(()) } else { Err("it ends in the middle".to_owned()) }
    }

    /// Copies the message of the next `left` bytes to `out`, without large values.
    fn message(&mut self, message: Message, mut left: u64, out: &mut Vec<u8>) -> Result<(), String> {
        let mut is_unread = false;
        while left > 0 {
            counted(&mut self.entries)?;
            let key = self.varint(&mut left)?;
            match (key & 7, field(message, key >> 3)) {
                (0, kind) => {
                    let value = self.varint(&mut left)?;
                    // Only the values of the standard: the mark is ours alone.
                    if !matches!(kind, Field::Location) || value == 1 {
                        write_varint(key, out);
                        write_varint(value, out);
                    }
                }
                (1, _) => {
                    write_varint(key, out);
                    self.copy(8, &mut left, out)?;
                }
                (5, _) => {
                    write_varint(key, out);
                    self.copy(4, &mut left, out)?;
                }
                (2, kind) => {
                    let length = self.varint(&mut left)?;
                    match kind {
                        Field::Inside(inner) => {
                            left = left.checked_sub(length).ok_or(ENDS_EARLY)?;
                            let mut held = Vec::new();
                            self.message(inner, length, &mut held)?;
                            write_varint(key, out);
                            write_varint(held.len() as u64, out);
                            out.extend_from_slice(&held);
                        }
                        Field::Values if length > HELD => {
                            left = left.checked_sub(length).ok_or(ENDS_EARLY)?;
                            let distance = i64::try_from(length).map_err(|_| ENDS_EARLY)?;
                            self.file.seek_relative(distance).map_err(|error| unreadable(&error))?;
                            is_unread = true;
                        }
                        _ => {
                            write_varint(key, out);
                            write_varint(length, out);
                            self.copy(length, &mut left, out)?;
                        }
                    }
                }
                (kind, _) => return Err(format!("a part of it is of the unknown kind {kind}")),
            }
        }
        if is_unread {
            write_varint(14 << 3, out);
            write_varint(tensors::UNREAD as u64, out);
        }
        Ok(())
    }
}

fn unreadable(error: &std::io::Error) -> String {
    match error.kind() {
        std::io::ErrorKind::UnexpectedEof => "it ends in the middle".to_owned(),
        _ => format!("it cannot be read: {error}"),
    }
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use prost::Message as _;

    use super::*;
    use crate::compiler::onnx::proto::ModelProto;
    use crate::compiler::onnx::sample::Sample;

    fn skimmed(bytes: &[u8]) -> Result<ModelProto, String> {
        let held = skim(Cursor::new(bytes), bytes.len() as u64)?;
        ModelProto::decode(held.as_slice()).map_err(|error| error.to_string())
    }

    fn sample() -> Sample {
        Sample::new(13)
            .input("x", &[1, 130, 4, 4])
            .weights("large", &[130, 130, 1, 1])
            .weights("small", &[130])
            .node("Conv", &["x", "large", "small"], &["y"], &[])
            .output("y")
    }

    #[test]
    fn large_values_stay_in_the_file_and_all_else_is_there() {
        let mut sample = sample();
        let found = skimmed(&sample.bytes()).expect("an ONNX file");
        let large = &mut sample.graph().initializer[0];
        assert_eq!(large.raw_data.len(), 67_600);
        large.raw_data.clear();
        large.data_location = tensors::UNREAD;
        assert_eq!(found, sample.0);
    }

    #[test]
    fn the_mark_is_ours_alone() {
        let mut sample = sample();
        sample.graph().initializer[1].data_location = tensors::UNREAD;
        let found = skimmed(&sample.bytes()).expect("an ONNX file");
        let locations: Vec<i32> =
            found.graph.iter().flat_map(|graph| &graph.initializer).map(|tensor| tensor.data_location).collect();
        assert_eq!(locations, [tensors::UNREAD, 0]);
    }

    #[test]
    fn what_is_no_onnx_file_is_refused() {
        let whole = sample().bytes();
        let cases: &[(&[u8], &str)] = &[
            (b"not a model at all", "a part of it"),
            (&[0x0b, 0], "the unknown kind 3"),
            (&[0x3a, 0xff, 0xff, 0xff, 0xff, 0x0f], "longer than what it lies in"),
            (&[0xff; 12], "more than ten bytes"),
        ];
        for (bytes, expected) in cases {
            for message in [skimmed(bytes).expect_err(expected), count(bytes).expect_err(expected)] {
                assert!(message.contains(expected), "{message}");
            }
        }
        for length in [whole.len() - 1, whole.len() / 2, 1] {
            assert!(skimmed(&whole[..length]).is_err(), "{length} bytes of {}", whole.len());
            assert!(count(&whole[..length]).is_err(), "{length} bytes of {}", whole.len());
        }
        assert_eq!(count(&whole), Ok(()));
        let many = [0x3a, 0x82, 0x80, 0x80, 0x01].into_iter().chain([0x0a, 0x00].repeat((1 << 20) + 1));
        let many: Vec<u8> = many.collect();
        for message in [skimmed(&many).expect_err("a million empty nodes"), count(&many).expect_err("the same")] {
            assert!(message.contains("more than 1048576 nodes"), "{message}");
        }
    }
}
