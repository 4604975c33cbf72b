//! A digest as HTML for mail: one table with inline styles, which is what mail clients show alike.
//! <https://www.caniemail.com/>

use super::Style;
use crate::digest::content::Tally;

pub(super) struct Html;

/// Of the bar, in pixels.
const WIDTH: u64 = 240;

/// What little there is can be seen.
const NARROWEST: u64 = 4;

impl Style for Html {
    fn around(&self) -> (&'static str, &'static str) {
        const TABLE: &str = "<table cellpadding=\"3\" cellspacing=\"0\" border=\"0\" \
                             style=\"border-collapse:collapse;font-family:sans-serif;font-size:14px\">\n";
        (TABLE, "</table>")
    }

    fn note(&self, words: &str) -> String {
        row("", &escaped(words))
    }

    fn link(&self, words: &str, url: &str) -> String {
        row("", &format!("<a href=\"{}\">{}</a>", escaped(url), escaped(words)))
    }

    fn bar(&self, tally: Tally) -> Option<String> {
        let share = tally.successes.saturating_mul(WIDTH).checked_div(tally.successes + tally.failures)?;
        let good = match (tally.successes, tally.failures) {
            (0, _) => 0,
            (_, 0) => WIDTH,
            _ => share.clamp(NARROWEST, WIDTH - NARROWEST),
        };
        let cell = |width: u64, colour: &str| {
            let style = "font-size:1px;line-height:10px";
            format!("<td width=\"{width}\" height=\"10\" bgcolor=\"{colour}\" style=\"{style}\">&nbsp;</td>")
        };
        let cells = [(good, "#2da44e"), (WIDTH - good, "#cf222e")];
        let cells: String =
            cells.into_iter().filter(|(width, _)| *width > 0).map(|(width, colour)| cell(width, colour)).collect();
        let table = format!("<table width=\"{WIDTH}\" cellpadding=\"0\" cellspacing=\"0\" border=\"0\"><tr>{cells}</tr></table>");
        Some(row("", &table))
    }

    fn site(&self, name: &str) -> String {
        row("", &format!("<h2 style=\"margin:16px 0 0;font-size:18px\">{}</h2>", escaped(name)))
    }

    fn task(&self, _number: usize, name: &str, counted: &str, _first: bool) -> String {
        let counted = if counted.is_empty() { String::new() } else { grey(&format!(" ({counted})")) };
        row("", &format!("<h3 style=\"margin:8px 0 0;font-size:14px\">{}{counted}</h3>", escaped(name)))
    }

    fn remark(&self, words: &str) -> String {
        row(" style=\"color:#666\"", &escaped(words))
    }

    fn line(&self, at: &str, mark: &str, words: &str, remarks: &str) -> String {
        let (words, remarks) = (escaped(words), grey(remarks));
        let at = format!("<td style=\"color:#666;white-space:nowrap\">{at}</td>");
        format!("<tr valign=\"top\">{at}<td>{mark}</td><td>{words}{remarks}</td></tr>\n")
    }
}

fn row(attributes: &str, html: &str) -> String {
    format!("<tr><td colspan=\"3\"{attributes}>{html}</td></tr>\n")
}

fn grey(words: &str) -> String {
    if words.is_empty() { String::new() } else { format!("<span style=\"color:#666\">{}</span>", escaped(words)) }
}

/// A text between tags or inside the quotes of an attribute.
fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}
