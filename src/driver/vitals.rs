//! What the system says of a process that gives no sign of life.

use crate::policy::liveness::Vitals;

/// Whether a process is stopped, and the processor time that it has used.
#[cfg(target_os = "linux")]
pub(super) fn of(pid: u32) -> Option<Vitals> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    read(&stat, ticks_per_second())
}

/// Elsewhere nothing is known: only signs of life count.
#[cfg(not(target_os = "linux"))]
pub(super) fn of(_pid: u32) -> Option<Vitals> {
    None
}

#[cfg(target_os = "linux")]
fn ticks_per_second() -> u64 {
    rustix::param::clock_ticks_per_second()
}

/// Reads `/proc/<pid>/stat`. The name of the program is in parentheses and may hold anything.
#[cfg(any(target_os = "linux", test))]
fn read(stat: &str, ticks_per_second: u64) -> Option<Vitals> {
    let (_, fields) = stat.rsplit_once(") ")?;
    let mut fields = fields.split(' ');
    let state = fields.next()?;
    // Behind the state: ten fields, then the ticks in user mode and in the kernel.
    let mut ticks = fields.skip(10).map(str::parse::<u64>);
    let used = ticks.next()?.ok()?.checked_add(ticks.next()?.ok()?)?;
    let millis = used.saturating_mul(1000) / ticks_per_second.max(1);
    Some(Vitals {
        // T: by a signal; t: by a debugger.
        stopped: matches!(state, "T" | "t"),
        // D waits for a disk.
        running: matches!(state, "R" | "D"),
        cpu: std::time::Duration::from_millis(millis),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_of_a_program_cannot_disguise_its_state() {
        let stat = "42 (a) T 1 (b) R) S 1 2 3 4 5 6 7 8 9 10 150 50 0 0 20";
        let vitals = read(stat, 100).unwrap();
        assert!(!vitals.stopped);
        assert_eq!(vitals.cpu, std::time::Duration::from_secs(2));
        let stopped = read("42 (python3) T 1 2 3 4 5 6 7 8 9 10 0 1", 100).unwrap();
        assert!(stopped.stopped);
        assert_eq!(stopped.cpu, std::time::Duration::from_millis(10));
        assert_eq!(read("42 (python3", 100), None);
        assert_eq!(read("42 (python3) S 1", 100), None);
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn this_process_runs_and_one_that_is_not_there_is_unknown() {
        assert!(!of(std::process::id()).unwrap().stopped);
        assert_eq!(of(u32::MAX), None);
    }
}
