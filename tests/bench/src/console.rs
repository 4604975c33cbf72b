//! How soon each page of the console is there, over a store that is full.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, ensure};
use clap::Args;
use hyper::StatusCode;
use serde_json::{Value, json};

use crate::{
    Common,
    client::{Client, Post},
    load::{Latencies, Messages, bulk},
    machine::per_second,
    process::Bellhop,
    report::{Report, Target},
    serve::count,
    sink::Sink,
};

/// How long a page may take, on every machine.
const LONGEST_MS: f64 = 150.0;

/// How many there are of what an account has few of: rules, contacts, tasks, keys.
const FEW: usize = 100;

/// The group that all others are in, whom one task reaches at once.
const EVERYBODY: &str = "everybody";

/// The registration whose deliveries all fail: its address may not be dialled.
const DEAD: &str = "dead";

/// The most that a page of the API holds.
const MOST_ON_PAGE: usize = 200;

/// Options of `bellhop-bench console`.
#[derive(Args)]
pub(crate) struct Console {
    /// Registrations that there are, all at the same sink.
    #[arg(long, default_value_t = 10_000, value_parser = clap::value_parser!(u32).range(2..))]
    registrations: u32,
    /// Deliveries that are stored and have arrived.
    #[arg(long, default_value_t = 1_000_000)]
    deliveries: usize,
    /// Deliveries that are stored before those and have failed.
    #[arg(long, default_value_t = 10_000)]
    failed: usize,
    /// How often each page is asked for.
    #[arg(long, default_value_t = 50)]
    requests: usize,
}

impl Console {
    pub(crate) async fn run(&self, common: &Common, report: &mut Report) -> Result<()> {
        let sink = Sink::start(Duration::ZERO).await?;
        let data = common.fresh_data()?;
        let bellhop = Bellhop::start(&common.start(data.path()))?;
        let early = self.fill(&bellhop, &sink, report).await?;
        let mut client = Client::connect(&bellhop.server).await?;
        let pages = self.pages(&mut client, &early).await?;
        client.sign_in().await?;
        // the figures are of a server that has settled: nothing to wait for tells when
        tokio::time::sleep(Duration::from_secs(2)).await;
        for (page, path) in pages {
            self.measure(&mut client, page, &path, report).await?;
        }
        report.add("resident memory, most", "MB", bellhop.most_resident_mb()?, Target::None);
        bellhop.kill()
    }

    /// Through the product itself. Answers with a time before which there is little, and after which there is much.
    async fn fill(&self, bellhop: &Bellhop, sink: &Sink, report: &mut Report) -> Result<String> {
        let mut client = Client::connect(&bellhop.server).await?;
        let quotas = json!({ "registrations_per_channel": self.registrations + 1 });
        client.put("/v1/account", &json!({ "quotas": quotas })).await?;
        let names: Vec<_> = (0..self.registrations).map(|number| format!("desk-{number}")).collect();
        let begun = Instant::now();
        bellhop.register(sink, &names, &[EVERYBODY]).await?;
        report.add("registrations", "", count(names.len()), Target::None);
        report.add("registrations saved, one after the other", "/s", per_second(names.len(), begun.elapsed()), Target::None);
        let dead = json!({ "channel": "webhook", "params": { "url": "http://10.0.0.1/hook" } });
        client.put(&format!("/v1/registrations/{DEAD}"), &dead).await?;
        few(&mut client).await?;

        let task =
            json!({ "name": "everybody", "to": format!("group:{EVERYBODY}"), "body": "Hello", "schedule": { "kind": "now" } });
        made(&mut client, "/v1/tasks", FEW, &task).await?;
        sink.until(Sink::total, names.len()).await?;
        // keys of another form, so that none comes twice
        bulk(&bellhop.server, self.failed, &Arc::new(Messages::new(vec![DEAD.to_owned()], true))).await?;
        let early = newest(&mut client, "accepted_at").await?;
        let begun = Instant::now();
        let before = names.len();
        bulk(&bellhop.server, self.deliveries, &Arc::new(Messages::new(names, false))).await?;
        sink.until(Sink::total, before + self.deliveries).await?;
        report.add("deliveries", "", count(self.deliveries), Target::None);
        report.add("deliveries stored, bulk in and delivered", "/s", per_second(self.deliveries, begun.elapsed()), Target::None);
        Ok(early)
    }

    /// What each page is called here, and its path.
    async fn pages(&self, client: &mut Client, early: &str) -> Result<Vec<(&'static str, String)>> {
        let event = newest(client, "id").await?;
        let late = newest(client, "accepted_at").await?;
        let middle = self.middle_of_registrations(client).await?;
        let oldest = next(&client.get(&format!("/v1/events?limit=1&to={early}")).await?)?;
        let of_one = next(&client.get("/v1/deliveries?registration=desk-0&limit=10").await?)?;
        let tasks = client.get("/v1/tasks?limit=1").await?;
        let (task, crowd) = (text(&tasks, "/items/0/id")?, text(&tasks, "/items/0/last_run/event")?);
        let pages = [
            ("home", "/console".to_owned()),
            ("registrations", "/console/registrations".to_owned()),
            ("registrations, in the middle", format!("/console/registrations?cursor={middle}")),
            ("a registration", "/console/registrations/desk-0".to_owned()),
            ("a registration, whose deliveries are old", format!("/console/registrations/{DEAD}")),
            ("rules", "/console/rules".to_owned()),
            ("messages", "/console/messages".to_owned()),
            ("messages, the oldest", format!("/console/messages?cursor={oldest}")),
            ("messages, `q` that all have", "/console/messages?q=backup".to_owned()),
            ("messages, `q` that none has", "/console/messages?q=nowhere".to_owned()),
            ("messages, `source`", "/console/messages?source=nobody".to_owned()),
            ("messages, `type`", "/console/messages?type=nothing".to_owned()),
            ("messages, `result`", "/console/messages?result=failure".to_owned()),
            ("messages, `from`", format!("/console/messages?from={early}")),
            ("messages, `to`", format!("/console/messages?to={late}")),
            ("deliveries", "/console/deliveries".to_owned()),
            ("deliveries, `state=failed`", "/console/deliveries?state=failed".to_owned()),
            ("deliveries, `state=retrying`", "/console/deliveries?state=retrying".to_owned()),
            ("deliveries, `state=delivered`", "/console/deliveries?state=delivered".to_owned()),
            ("deliveries, `state=queued`", "/console/deliveries?state=queued".to_owned()),
            ("deliveries, `registration`", "/console/deliveries?registration=desk-0".to_owned()),
            ("deliveries, `registration`, the next page", format!("/console/deliveries?registration=desk-0&cursor={of_one}")),
            ("deliveries, `registration` and `state=failed`", "/console/deliveries?registration=desk-0&state=failed".to_owned()),
            ("deliveries, `channel`", "/console/deliveries?channel=email".to_owned()),
            ("an event", format!("/console/messages/{event}")),
            ("an event that everybody got", format!("/console/messages/{crowd}")),
            ("deliveries, `event`", format!("/console/deliveries?event={crowd}")),
            ("deliveries, `event` and `state=failed`", format!("/console/deliveries?event={crowd}&state=failed")),
            ("tasks", "/console/tasks".to_owned()),
            ("a task that everybody got", format!("/console/tasks/{task}")),
            ("contacts", "/console/contacts".to_owned()),
            ("keys", "/console/keys".to_owned()),
            ("account", "/console/account".to_owned()),
            ("audit", "/console/audit".to_owned()),
        ];
        Ok(pages.into())
    }

    async fn middle_of_registrations(&self, client: &mut Client) -> Result<String> {
        let half = usize::try_from(self.registrations / 2)?;
        let limit = half.min(MOST_ON_PAGE);
        let mut cursor = String::new();
        for _ in 0..half / limit {
            let after = if cursor.is_empty() { String::new() } else { format!("&cursor={cursor}") };
            cursor = next(&client.get(&format!("/v1/registrations?limit={limit}{after}")).await?)?;
        }
        Ok(cursor)
    }

    async fn measure(&self, client: &mut Client, page: &str, path: &str, report: &mut Report) -> Result<()> {
        let mut each = Vec::with_capacity(self.requests);
        for _ in 0..self.requests {
            let begun = Instant::now();
            client.page(path).await?;
            each.push(begun.elapsed());
        }
        let each = Latencies::new(each)?;
        report.add(format!("{page}, p50"), "ms", each.ms(500), Target::None);
        report.add(format!("{page}, p99"), "ms", each.ms(990), Target::AtMost(LONGEST_MS));
        Ok(())
    }
}

/// What an account has beside registrations and what was sent. No rule is about what is sent here.
async fn few(client: &mut Client) -> Result<()> {
    for number in 0..FEW {
        let rule = json!({ "to": ["desk-0"], "match": { "sources": ["elsewhere/*"] }, "batch": { "at": "12:00:00" } });
        client.put(&format!("/v1/rules/rule-{number}"), &rule).await?;
        let contact = json!({ "email": format!("contact-{number}@example.org") });
        client.put(&format!("/v1/contacts/contact-{number}"), &contact).await?;
        // none runs while this is measured, but at new year
        let schedule = json!({ "kind": "cron", "cron": "0 0 1 1 *" });
        let task = json!({ "name": format!("task {number}"), "to": ["desk-0"], "body": "It is due.", "schedule": schedule });
        made(client, "/v1/tasks", number, &task).await?;
        made(client, "/v1/keys", number, &json!({ "scopes": ["send"], "description": format!("key {number}") })).await?;
    }
    Ok(())
}

async fn made(client: &mut Client, path: &str, number: usize, body: &Value) -> Result<()> {
    let post = Post { path, idempotency_key: &format!("{path}/{number}"), body: body.to_string().into() };
    let (status, answer) = client.post(post).await?;
    ensure!(status == StatusCode::CREATED, "`POST {path}`: {status} {}", String::from_utf8_lossy(&answer));
    Ok(())
}

/// A field of the newest event.
async fn newest(client: &mut Client, field: &str) -> Result<String> {
    text(&client.get("/v1/events?limit=1").await?, &format!("/items/0/{field}"))
}

fn text(answer: &Value, place: &str) -> Result<String> {
    let found = answer.pointer(place).and_then(Value::as_str);
    Ok(found.with_context(|| format!("nothing at `{place}`: give `--failed` and `--deliveries` more to store"))?.to_owned())
}

fn next(page: &Value) -> Result<String> {
    Ok(page["next_cursor"].as_str().context("a list ends too soon: give it more to store")?.to_owned())
}
