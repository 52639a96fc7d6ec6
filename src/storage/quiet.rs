//! Panics that are expected and reported as what they mean: their text is not printed.
//!
//! The panic hook is one for the whole program. This one passes everything on to the hook that was
//! there before, but for what panics on a thread while that thread is inside [`catch`].

use std::cell::Cell;
use std::panic::{self, AssertUnwindSafe, PanicHookInfo};
use std::sync::Once;

type Hook = Box<dyn Fn(&PanicHookInfo<'_>) + Send + Sync>;

thread_local! {
    static EXPECTED: Cell<bool> = const { Cell::new(false) };
}

static INSTALLED: Once = Once::new();

/// What an act answers; `None` if it panics, of which nobody hears.
pub(super) fn catch<Answer>(act: impl FnOnce() -> Answer) -> Option<Answer> {
    INSTALLED.call_once(|| panic::set_hook(but_for_expected(panic::take_hook())));
    let outer = EXPECTED.replace(true);
    let answer = panic::catch_unwind(AssertUnwindSafe(act));
    EXPECTED.set(outer);
    answer.ok()
}

/// A hook that hears of all that is not expected where it happens.
fn but_for_expected(hook: Hook) -> Hook {
    Box::new(move |about| {
        // A thread that is ending may have no such variable any more: it expects nothing.
        if !EXPECTED.try_with(Cell::get).unwrap_or(false) {
            hook(about);
        }
    })
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};
    use std::thread;

    use super::*;

    #[test]
    fn what_is_expected_is_quiet_and_nothing_else() {
        assert_eq!(catch(|| 1), Some(1));
        let heard: Arc<Mutex<Vec<&str>>> = Arc::default();
        let ears = Arc::clone(&heard);
        let before = panic::take_hook();
        panic::set_hook(but_for_expected(Box::new(move |about| {
            // Other tests of this process may panic meanwhile.
            let text = about.payload().downcast_ref::<&str>().copied();
            let ours = text.filter(|text| text.starts_with("quiet:"));
            ears.lock().unwrap().extend(ours);
        })));
        let beside = || {
            thread::spawn(|| panic!("quiet: beside"))
                .join()
                .unwrap_err()
        };
        let outer = catch(|| {
            assert_eq!(catch(|| panic!("quiet: within")), None::<()>);
            beside();
            panic!("quiet: expected")
        });
        assert_eq!(outer, None::<()>);
        panic::catch_unwind(|| panic!("quiet: after")).unwrap_err();
        panic::set_hook(before);
        assert_eq!(*heard.lock().unwrap(), ["quiet: beside", "quiet: after"]);
    }
}
