//! Mpush clients: whose token it is, which event has which number, what waits for whom, who is connected.

#![expect(missing_docs, reason = "the name of a case says it")]

use bellhop_core::{
    Timestamp, clients,
    model::{AccountId, ConnectionId, DeliveryId, EventId, Mid},
    ports::{Ports, Session},
};

use crate::{account, name};

fn other() -> AccountId {
    AccountId::parse("other").expect("a name")
}

fn event(ms: i64) -> EventId {
    EventId::new(Timestamp::from_millisecond(ms).expect("a time"), 7)
}

fn delivery(ms: i64) -> DeliveryId {
    DeliveryId::new(event(ms), &name("phone"), None)
}

fn connection(id: &str) -> ConnectionId {
    ConnectionId(id.to_owned())
}

fn session() -> Session {
    Session { account: account(), name: name("phone") }
}

async fn line(ports: &Ports, most: usize) -> Vec<DeliveryId> {
    ports.clients.line(&account(), &name("phone"), most).await.expect("lines are read")
}

async fn where_it_is(ports: &Ports) -> Option<ConnectionId> {
    ports.clients.connection(&account(), &name("phone")).await.expect("connections are read")
}

pub async fn a_token_is_one_accounts_until_it_gives_it_up(ports: &Ports) {
    let take = async |account: AccountId| ports.clients.take_token("hash", &account).await.expect("tokens are taken");
    let whose = async || ports.clients.account_of("hash").await.expect("tokens are read");
    assert!(take(account()).await && take(account()).await, "taking it twice is taking it once");
    assert!(!take(other()).await);
    assert_eq!(whose().await, Some(account()));
    ports.clients.drop_token("hash", &other()).await.expect("tokens are dropped");
    assert_eq!(whose().await, Some(account()), "whoever does not have it cannot give it up");
    ports.clients.drop_token("hash", &account()).await.expect("tokens are dropped");
    assert!(take(other()).await);
    assert_eq!(whose().await, Some(other()));
}

pub async fn a_number_is_one_events(ports: &Ports) {
    let number = async |mid, ms| ports.clients.number(&account(), Mid(mid), event(ms), None).await.expect("events are numbered");
    assert!(number(5, 1).await && number(5, 1).await, "numbering it twice is numbering it once");
    assert!(!number(5, 2).await && number(6, 2).await);
    let numbered = async |mid| ports.clients.numbered(&account(), Mid(mid)).await.expect("numbers are read");
    assert_eq!((numbered(5).await, numbered(6).await, numbered(7).await), (Some(event(1)), Some(event(2)), None));
    let elsewhere = ports.clients.number(&other(), Mid(5), event(3), None).await.expect("events are numbered");
    assert!(elsewhere, "each account counts for itself");
    let pass_on =
        async |was| ports.clients.number(&account(), Mid(5), event(9), Some(event(was))).await.expect("it is passed on");
    assert!(!pass_on(2).await, "it was not that one's");
    assert!(pass_on(1).await && pass_on(1).await);
    assert_eq!(numbered(5).await, Some(event(9)));
}

pub async fn a_line_keeps_the_order_of_ids_whoever_comes_first(ports: &Ports) {
    for ms in [3, 1, 2, 1] {
        ports.clients.enter(&account(), &name("phone"), delivery(ms)).await.expect("lines are entered");
    }
    ports.clients.enter(&account(), &name("desk"), delivery(0)).await.expect("lines are entered");
    assert_eq!(line(ports, 2).await, [delivery(1), delivery(2)]);
    ports.clients.leave(&account(), &name("phone"), delivery(1)).await.expect("lines are left");
    ports.clients.leave(&account(), &name("phone"), delivery(1)).await.expect("whoever is not there may leave");
    assert_eq!(line(ports, 9).await, [delivery(2), delivery(3)]);
}

async fn join(ports: &Ports, id: &str) -> Option<ConnectionId> {
    ports.clients.meet(&connection(id), &session()).await.expect("clients are met");
    ports.clients.connect(&connection(id), &session()).await.expect("clients connect")
}

async fn leave(ports: &Ports, id: &str) {
    ports.clients.disconnect(&connection(id), &session()).await.expect("clients leave");
}

pub async fn a_client_is_on_its_latest_connection(ports: &Ports) {
    assert_eq!(where_it_is(ports).await, None);
    assert_eq!(join(ports, "c1").await, None);
    assert_eq!(join(ports, "c2").await, Some(connection("c1")), "whoever takes over is told from where");
    assert_eq!(where_it_is(ports).await, Some(connection("c2")));
    let who = ports.clients.session(&connection("c2")).await.expect("sessions are read");
    assert_eq!(who, Some(session()));
}

pub async fn the_end_of_an_old_connection_does_not_end_the_new_one(ports: &Ports) {
    for id in ["c1", "c2"] {
        join(ports, id).await;
    }
    leave(ports, "c1").await;
    assert_eq!(where_it_is(ports).await, Some(connection("c2")));
    for _ in 0..2 {
        leave(ports, "c2").await;
        assert_eq!(where_it_is(ports).await, None);
        assert_eq!(ports.clients.session(&connection("c2")).await.expect("sessions are read"), None);
    }
}

/// As where its end came between the two steps of its beginning.
pub async fn a_client_is_let_go_of_a_connection_of_which_nothing_else_is_known(ports: &Ports) {
    ports.clients.connect(&connection("c1"), &session()).await.expect("clients connect");
    leave(ports, "c1").await;
    assert_eq!(where_it_is(ports).await, None);
}

pub async fn whoever_says_another_name_on_the_same_connection_is_not_there_under_the_first(ports: &Ports) {
    let other = Session { name: name("tablet"), ..session() };
    for who in [session(), other.clone()] {
        clients::met(ports, &connection("c1"), &who).await.expect("clients are met");
        ports.clients.connect(&connection("c1"), &who).await.expect("clients connect");
    }
    assert_eq!(where_it_is(ports).await, None);
    let there = ports.clients.connection(&account(), &other.name).await.expect("connections are read");
    assert_eq!(there, Some(connection("c1")));
}
