//! Memory, as the system tells it in files.

use std::fs;

/// Bytes of memory that this machine has for programs, or this container where it has less; 0 where the system does not say.
#[must_use]
pub fn memory_of_machine() -> u64 {
    let text = |path: &str| fs::read_to_string(path).unwrap_or_default();
    let total = bytes_of(&text("/proc/meminfo"), "MemTotal:");
    let of_container = text("/sys/fs/cgroup/memory.max").trim().parse().ok();
    [total, of_container].into_iter().flatten().min().unwrap_or(0)
}

/// What a process holds in memory, in bytes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Memory {
    /// Now.
    pub now: u64,
    /// The most that it ever held.
    pub peak: u64,
}

/// What this process holds; nothing where the system does not say.
#[must_use]
pub fn memory_of_this_process() -> Memory {
    memory_in(&fs::read_to_string("/proc/self/status").unwrap_or_default())
}

/// The most that a process and those that it started, which are alive, ever held, in bytes: the sum of what each did. 0 where
/// the system does not say.
#[must_use]
pub fn memory_of_group(process: u32) -> u64 {
    let mut bytes: u64 = 0;
    let mut left = vec![process];
    while let Some(process) = left.pop() {
        let folder = format!("/proc/{process}");
        bytes =
            bytes.saturating_add(memory_in(&fs::read_to_string(format!("{folder}/status")).unwrap_or_default()).peak);
        // Only the first thread's: a tool that starts programs from another thread is known by itself alone.
        let children = fs::read_to_string(format!("{folder}/task/{process}/children")).unwrap_or_default();
        left.extend(children.split_whitespace().filter_map(|child| child.parse::<u32>().ok()));
    }
    bytes
}

fn memory_in(status: &str) -> Memory {
    let of = |name: &str| bytes_of(status, name).unwrap_or(0);
    Memory { now: of("VmRSS:"), peak: of("VmHWM:") }
}

fn bytes_of(text: &str, name: &str) -> Option<u64> {
    text.lines().find_map(|line| {
        let kilobytes: u64 = line.strip_prefix(name)?.trim().strip_suffix("kB")?.trim().parse().ok()?;
        Some(kilobytes * 1024)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_system_tells_how_much_there_is() {
        let own = memory_of_this_process();
        assert!(own.now > 1 << 20 && own.peak >= own.now, "{own:?}");
        assert!(memory_of_machine() > own.peak);
        assert!(memory_of_group(std::process::id()) >= own.peak);
        assert_eq!(memory_of_group(u32::MAX), 0);
    }
}
