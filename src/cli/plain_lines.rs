//! Lines of the log for people.

use std::fmt;

use tracing::{Event, Subscriber};
use tracing_subscriber::{
    fmt::{
        FmtContext, FormatEvent, FormatFields,
        format::{Format, Full, Writer},
    },
    registry::LookupSpan,
};

use crate::escape::escaped;

/// One line for each event, whatever its fields hold: a kid or an error with a line break begins no line of its own. Without colours, which
/// could not be told from what the fields hold.
pub(super) struct PlainLines(Format<Full>);

impl PlainLines {
    pub(super) fn new() -> Self {
        Self(Format::default().with_target(false).with_ansi(false))
    }
}

impl<S, N> FormatEvent<S, N> for PlainLines
where
    S: Subscriber + for<'span> LookupSpan<'span>,
    N: for<'writer> FormatFields<'writer> + 'static,
{
    fn format_event(&self, context: &FmtContext<'_, S, N>, mut writer: Writer<'_>, event: &Event<'_>) -> fmt::Result {
        let mut line = String::new();
        self.0.format_event(context, Writer::new(&mut line), event)?;
        writeln!(writer, "{}", escaped(line.strip_suffix('\n').unwrap_or(&line)))
    }
}

#[cfg(test)]
mod tests {
    use std::{
        io,
        sync::{Arc, Mutex},
    };

    use tracing_subscriber::{fmt, layer::SubscriberExt as _};

    use super::*;

    #[derive(Clone, Default)]
    struct Written(Arc<Mutex<Vec<u8>>>);

    impl io::Write for Written {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().expect("no panic").write(bytes)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_kid_cannot_forge_a_line() {
        let forged = "a\n2026-11-26T12:00:00Z ERROR everything is lost\u{1b}[2J";
        let written = Written::default();
        let writer = written.clone();
        let lines = fmt::layer().event_format(PlainLines::new()).with_ansi(false).with_writer(move || writer.clone());
        tracing::subscriber::with_default(tracing_subscriber::registry().with(lines), || {
            let _span = tracing::error_span!("reconcile", set = %forged).entered();
            tracing::warn!(kid = %forged, kids = ?[forged], "kid {forged} is refused");
            tracing::info!("another");
        });
        let text = String::from_utf8(written.0.lock().expect("no panic").clone()).expect("text");
        assert_eq!(text.lines().count(), 2, "{text}");
        assert!(text.chars().all(|character| character == '\n' || !character.is_control()), "{text:?}");
        assert!(text.contains(r"kid a\n2026") && text.ends_with("another\n"), "{text}");
    }
}
