//! What a process that ended unasked has probably died of.

/// The cause of a death, as far as exit code and signal tell.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Crash {
    /// It touched memory that is not its own.
    Segfault,
    /// SIGKILL that was not ours: mostly the system's, for want of memory.
    OutOfMemory,
    /// It ended itself by SIGABRT.
    Abort,
    /// It used up `limits.cpu`.
    CpuLimit,
    /// Another signal.
    Signal,
    /// It exited by itself.
    Exit,
}

impl Crash {
    /// The cause of an exit code and a signal. A shell in between reports a signal as 128 and its
    /// number.
    pub fn of(code: Option<i32>, signal: Option<&str>) -> Option<Self> {
        match (signal, code) {
            (Some("SIGSEGV" | "SIGBUS"), _) | (None, Some(139 | 135)) => Some(Self::Segfault),
            (Some("SIGKILL"), _) | (None, Some(137)) => Some(Self::OutOfMemory),
            (Some("SIGABRT"), _) | (None, Some(134)) => Some(Self::Abort),
            (Some("SIGXCPU"), _) | (None, Some(152)) => Some(Self::CpuLimit),
            (Some(_), _) => Some(Self::Signal),
            (None, Some(_)) => Some(Self::Exit),
            (None, None) => None,
        }
    }

    /// Its name for users.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Segfault => "segfault",
            Self::OutOfMemory => "oom",
            Self::Abort => "abort",
            Self::CpuLimit => "cpu-limit",
            Self::Signal => "signal",
            Self::Exit => "exit",
        }
    }

    /// What the signal alone does not tell, to be put behind it.
    pub fn hint(self) -> &'static str {
        match self {
            Self::OutOfMemory => {
                " from outside: somebody killed it, or the system was out of memory"
            }
            Self::CpuLimit => ": it used up limits.cpu",
            Self::Segfault | Self::Abort | Self::Signal | Self::Exit => "",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signals_and_the_codes_by_which_a_shell_reports_them_mean_the_same() {
        for (signal, code, crash) in [
            ("SIGSEGV", 139, Crash::Segfault),
            ("SIGKILL", 137, Crash::OutOfMemory),
            ("SIGABRT", 134, Crash::Abort),
            ("SIGXCPU", 152, Crash::CpuLimit),
        ] {
            assert_eq!(Crash::of(None, Some(signal)), Some(crash));
            assert_eq!(Crash::of(Some(code), None), Some(crash));
        }
        assert_eq!(Crash::of(None, Some("SIGTERM")), Some(Crash::Signal));
        assert_eq!(Crash::of(Some(0), None), Some(Crash::Exit));
        assert_eq!(Crash::of(None, None), None);
    }

    #[test]
    fn each_has_a_name_and_those_that_say_too_little_a_hint() {
        for (crash, name, hint) in [
            (Crash::Segfault, "segfault", ""),
            (Crash::OutOfMemory, "oom", "out of memory"),
            (Crash::Abort, "abort", ""),
            (Crash::CpuLimit, "cpu-limit", "limits.cpu"),
            (Crash::Signal, "signal", ""),
            (Crash::Exit, "exit", ""),
        ] {
            assert_eq!(crash.as_str(), name);
            assert!(crash.hint().ends_with(hint));
            assert_eq!(crash.hint().is_empty(), hint.is_empty());
        }
    }
}
