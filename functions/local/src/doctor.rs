//! `bellhop doctor`: looks a data directory over, without a key and without disturbing a running server.

use std::path::PathBuf;

use bellhop_embedded::{Inspection, Sealing, inspect};
use clap::Args;

/// Options of `bellhop doctor`.
#[derive(Args)]
pub(crate) struct Doctor {
    /// The data directory.
    #[arg(long, env = "BELLHOP_DATA", default_value = "./bellhop-data")]
    data: PathBuf,
}

/// One thing that was looked at.
struct Finding {
    good: bool,
    text: String,
}

impl Doctor {
    /// The report, and whether everything is as it should be.
    pub(crate) fn run(self) -> (String, bool) {
        let findings = match inspect(&self.data) {
            Ok(inspection) => findings(&inspection),
            Err(error) => vec![Finding { good: false, text: error.to_string() }],
        };
        let line = |finding: &Finding| format!("{}  {}", if finding.good { "ok     " } else { "problem" }, finding.text);
        let report: Vec<_> = findings.iter().map(line).collect();
        (report.join("\n"), findings.iter().all(|finding| finding.good))
    }
}

fn findings(inspection: &Inspection) -> Vec<Finding> {
    let Inspection { schema, known_schema, epoch, in_use, sealing, web_push, damage, backlog, open_to_others } = inspection;
    let good = |text: String| Finding { good: true, text };
    let bad = |text: String| Finding { good: false, text };
    let mut findings = vec![
        good(format!("opened {epoch} times, {}", if *in_use { "in use by a running server" } else { "not in use" })),
        match schema.cmp(known_schema) {
            std::cmp::Ordering::Equal => good(format!("schema {schema}")),
            std::cmp::Ordering::Less => good(format!("schema {schema}; the next start brings it to {known_schema}")),
            std::cmp::Ordering::Greater => {
                bad(format!("schema {schema}, but this program knows {known_schema} only; run a newer one"))
            }
        },
    ];
    findings.push(match sealing {
        Sealing::Nothing => good("nothing is sealed".to_owned()),
        Sealing::Opens { channels, remains: false } => good(format!("`seal-key` opens the data keys of {channels} channels")),
        Sealing::Opens { remains: true, .. } => bad(
            "what was there before it was sealed may still be found in the database; make as much room as it takes, then start again"
                .to_owned(),
        ),
        Sealing::Unfinished => good("a change of keys was broken off; the next start finishes it".to_owned()),
        Sealing::NoKey => bad("`seal-key` is missing; without it no secret can be read: put it back from a backup".to_owned()),
        Sealing::WrongKey => bad("`seal-key` does not open the data keys; put the right one back from a backup".to_owned()),
    });
    findings.extend(web_push.iter().map(|opens| {
        match opens {
            true => good("the key of Web Push opens".to_owned()),
            false => bad(
                "the key of Web Push does not open, and every subscription is bound to it: put the directory back from a backup"
                    .to_owned(),
            ),
        }
    }));
    if damage.is_empty() {
        findings.push(good("the database is sound".to_owned()));
    }
    findings.extend(damage.iter().map(|damage| bad(format!("the database is damaged: {damage}"))));
    findings.extend(backlog.iter().map(|backlog| Finding {
        good: backlog.dead_letters == 0,
        text: format!(
            "{}: {} queued, {} parked, {} dead letters{}",
            backlog.channel,
            backlog.queued,
            backlog.due,
            backlog.dead_letters,
            if backlog.dead_letters == 0 { "" } else { "; see why they died, then `bellhop redrive` them" }
        ),
    }));
    findings.extend(open_to_others.iter().map(|(name, mode)| bad(format!("`{name}` has mode {mode:o}; others can read it"))));
    findings
}
