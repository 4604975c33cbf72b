//! A page of schedules that are due, on the memory store.

use std::time::Duration;

use bellhop_batch::handle_page;
use bellhop_core::{
    accept::{Wanted, accept},
    digest::follow::follow,
    model::{Account, Draft, Rule, Source},
    ports::{Due, Kind, Matter, Ports, Record},
};
use bellhop_testkit::{Provider, Rig, account, draft, name, registration};

/// A rule that collects for a digest each hour, and its event.
async fn collecting(ports: &Ports, rule: &str) -> Due {
    let text = format!(r#"{{"match":{{"sources":["{rule}"]}},"to":["phone"],"batch":{{"at":"00:00","every_seconds":3600}}}}"#);
    let parsed: Rule = serde_json::from_str(&text).expect("a rule");
    follow(ports, &Account::new(account()), &name(rule), None, Some(&parsed)).await.expect("it is scheduled");
    save(ports, rule, 1, &text).await;
    let source = Source::parse(rule).expect("a source");
    let event = Draft { source, send_to: Vec::new(), ..draft("the backup is done") };
    let answer = accept(ports, &account(), event, Wanted::Event, None).await.expect("it is accepted");
    assert_eq!(answer.deliveries.len(), 0, "it is collected");
    let due = ports.digests.get(&account(), &name(rule)).await.expect("schedules are read").expect("it is there").due;
    Due { at: due, account: account(), matter: Matter::Rule(name(rule)) }
}

async fn save(ports: &Ports, rule: &str, version: u64, body: &str) {
    let record = Record { name: rule.to_owned(), version, body: body.to_owned() };
    assert!(ports.records.put(&account(), Kind::Rule, &record).await.expect("records are saved"));
}

#[tokio::test]
async fn one_that_fails_keeps_no_other_and_stays_due() {
    // given ten rules with something to tell, one of which nobody can read any more
    let rig = Rig::new(Provider::new(&[]));
    let ports = &rig.ports;
    assert!(ports.registrations.put(&registration("phone")).await.expect("registrations are saved"));
    let mut page = Vec::new();
    for number in 0..10 {
        page.push(collecting(ports, &format!("rule-{number}")).await);
    }
    save(ports, "rule-3", 2, "{").await;

    // when their time has come, and when the page comes twice
    rig.sim.pass(Duration::from_hours(1));
    assert_eq!(handle_page(ports, &page).await, 9);
    assert_eq!(handle_page(ports, &page).await, 0, "they were sent");

    // then only the broken one is still due
    let due = ports.agenda.due(page[0].at, None, 20).await.expect("what is due is read");
    assert_eq!(due, [page[3].clone()]);
}
