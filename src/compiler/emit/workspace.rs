//! Where buffers lie in the workspace: two that are needed at the same time never overlap.

use crate::compiler::device::WORD;
use crate::compiler::emit::step::Buffer;
use crate::compiler::emit::step::Step;
use crate::compiler::emit::step::Storage;

/// Kernels may read so many bytes beyond the end of what they use.
const SLACK: usize = WORD;

/// Places in the workspace.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Workspace {
    /// For each buffer its first byte; 0 for those that lie elsewhere.
    pub(super) offsets: Vec<usize>,
    /// The first byte of the scratch, behind all buffers.
    pub(super) scratch: usize,
    /// Bytes of all of it.
    pub(super) bytes: usize,
}

/// A buffer that has its place.
struct Placed {
    offset: usize,
    bytes: usize,
    /// The first and the last step that use it.
    steps: [usize; 2],
}

impl Workspace {
    /// Places the largest buffers first, each as far in front as those with common steps let it.
    pub(super) fn of(buffers: &[Buffer], steps: &[Step]) -> Self {
        let mut lives: Vec<Option<[usize; 2]>> = vec![None; buffers.len()];
        for (index, step) in steps.iter().enumerate() {
            for id in step.buffers() {
                let life = lives[id.0].get_or_insert([index, index]);
                life[1] = index;
            }
        }
        let mut waiting: Vec<usize> =
            (0..buffers.len()).filter(|&at| buffers[at].storage == Storage::Workspace).collect();
        waiting.sort_by_key(|&at| (std::cmp::Reverse(buffers[at].bytes), at));
        let mut offsets = vec![0; buffers.len()];
        let mut placed: Vec<Placed> = Vec::new();
        for at in waiting {
            let Some(steps) = lives[at] else { continue };
            let bytes = buffers[at].bytes.next_multiple_of(WORD);
            let mut offset = 0;
            // In the order of their places, so that the first gap that is wide enough is found.
            for other in placed.iter().filter(|other| other.steps[0] <= steps[1] && steps[0] <= other.steps[1]) {
                if offset + bytes <= other.offset {
                    break;
                }
                offset = offset.max(other.offset + other.bytes);
            }
            offsets[at] = offset;
            let place = placed.partition_point(|other| other.offset < offset);
            placed.insert(place, Placed { offset, bytes, steps });
        }
        let scratch = placed.iter().map(|one| one.offset + one.bytes).max().unwrap_or(0);
        let most = steps.iter().map(|step| step.scratch).max().unwrap_or(0);
        Self { offsets, scratch, bytes: (scratch + most + SLACK).next_multiple_of(WORD) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::compiler::emit::step::Argument;
    use crate::compiler::emit::step::BufferId;

    #[test]
    fn buffers_share_bytes_only_when_their_times_are_apart() {
        let bytes = [100, 64, 100, 200];
        let buffers: Vec<Buffer> = bytes.iter().map(|&bytes| Buffer { storage: Storage::Workspace, bytes }).collect();
        let step =
            |from, to| Step::new(&[], "move", vec![Argument::Read(BufferId(from)), Argument::Written(BufferId(to))]);
        let mut steps = vec![step(0, 1), step(1, 2), step(2, 3)];
        steps[1].scratch = 10;
        let workspace = Workspace::of(&buffers, &steps);
        // 3 and 0 are never needed together, nor are 3 and 1.
        assert_eq!(workspace.offsets, [0, 128, 256, 0]);
        assert_eq!((workspace.scratch, workspace.bytes), (384, 512));
    }
}
