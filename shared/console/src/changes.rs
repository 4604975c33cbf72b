//! Tells a page that something has changed, so that it looks again, where the store can tell: a stream of server-sent events.
//! <https://html.spec.whatwg.org/multipage/server-sent-events.html>
//!
//! Promises: a stream tells of its own account alone, and not what has changed; it tells nothing once its session is over, and ends
//! then, within a beat; it ends at once when the server stops. Left to others: what a page shows (it asks for it as it did before).

use std::{
    collections::HashMap,
    convert::Infallible,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use axum::{
    Router,
    extract::State,
    http::HeaderName,
    response::{IntoResponse, Response, sse},
    routing::get,
};
use bellhop_core::{
    Code, Problem,
    model::{KeyId, Scope},
};
use bellhop_http::{Api, caller::proven, key::Credential};
use futures_util::{
    FutureExt, StreamExt,
    stream::{self, BoxStream},
};
use tokio::{select, time::sleep};

use crate::{
    Console,
    language::texts,
    visitor::{Stop, Visitor},
};

texts! {
    NOBODY_TELLS = "Nobody tells of changes here: a page looks again by itself.", "这里不提供变更通知：页面会自行刷新。";
    TOO_MANY = "Too many pages listen already. This one looks again every few seconds.", "监听的页面过多，此页面改为每隔几秒刷新。";
}

/// Where a page listens.
pub(crate) const PATH: &str = "/console/changes";

/// How often a stream that has nothing to tell is heard, so that whoever stands between does not take it for dead.
const BEAT: Duration = Duration::from_secs(15);

/// What changes within this time is told as one: a delivery is claimed and settled within a moment.
const GATHERED: Duration = Duration::from_millis(300);

/// The most streams of one process.
const MOST: usize = 1_000;

/// The most of one session: browsers open six connections to a host at most, and pages need some.
const MOST_OF_SESSION: usize = 4;

pub(crate) fn routes() -> Router<Console> {
    Router::new().route("/console/changes", get(listen))
}

/// How many streams each session has open.
#[derive(Debug, Default)]
pub(crate) struct Streams(Mutex<HashMap<KeyId, usize>>);

impl Streams {
    /// Room for one more, unless there are too many.
    fn open(self: &Arc<Self>, session: &KeyId) -> Option<Place> {
        let mut open = self.lock();
        let own = open.get(session).copied().unwrap_or(0);
        if own >= MOST_OF_SESSION || open.values().sum::<usize>() >= MOST {
            return None;
        }
        open.insert(session.clone(), own + 1);
        Some(Place { streams: Arc::clone(self), session: session.clone() })
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<KeyId, usize>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// That of one stream, given back when it ends.
#[derive(Debug)]
struct Place {
    streams: Arc<Streams>,
    session: KeyId,
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut open = self.streams.lock();
        match open.get_mut(&self.session) {
            Some(own) if *own > 1 => *own -= 1,
            Some(_) | None => drop(open.remove(&self.session)),
        }
    }
}

async fn listen(State(console): State<Console>, visitor: Visitor) -> Result<Response, Stop> {
    let refused = |code, text| visitor.stop(Problem::new(code, visitor.say(text)).into());
    visitor.caller.require(Scope::Read).map_err(|problem| visitor.stop(problem.into()))?;
    let changes = console.api.ports.deliveries.changes(&visitor.caller.account);
    let changes = changes.ok_or_else(|| refused(Code::NotFound, NOBODY_TELLS))?;
    let place = console.streams.open(&visitor.caller.key).ok_or_else(|| refused(Code::RateLimited, TOO_MANY))?;
    let telling = Telling { api: console.api, session: visitor.session().clone(), changes, _place: place };
    let events = stream::unfold(telling, async |mut telling| Some((Ok::<_, Infallible>(telling.next().await?), telling)));
    // nginx keeps an answer back until there is more of it
    Ok(([(HeaderName::from_static("x-accel-buffering"), "no")], sse::Sse::new(events)).into_response())
}

/// A stream that is open.
struct Telling {
    api: Api,
    session: Credential,
    changes: BoxStream<'static, ()>,
    _place: Place,
}

impl Telling {
    /// What is to be told next, unless it is over.
    async fn next(&mut self) -> Option<sse::Event> {
        let event = select! {
            () = self.api.stopped() => None,
            changed = gathered(&mut self.changes) => changed.map(|()| sse::Event::default().event("changed").data("look")),
            () = sleep(BEAT) => Some(sse::Event::default().comment("nothing new")),
        };
        // whether the session still counts is asked behind the change, which may be its end
        let is_alive = matches!(proven(&self.api, &self.session).await, Ok(Ok(_)));
        event.filter(|_| is_alive)
    }
}

/// Changes, and those that follow at their heels.
async fn gathered(changes: &mut BoxStream<'static, ()>) -> Option<()> {
    changes.next().await?;
    sleep(GATHERED).await;
    // what is still untold is told with it: whoever hears of it looks later
    changes.next().now_or_never().unwrap_or(Some(()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_session_has_four_streams_and_one_that_ends_makes_room() {
        let streams = Arc::<Streams>::default();
        let [one, other] = ["one1", "other"].map(|id| KeyId::from_part(id).unwrap());
        let mut open: Vec<_> = (0..4).map(|_| streams.open(&one).unwrap()).collect();
        assert!(streams.open(&one).is_none());
        assert!(streams.open(&other).is_some(), "others have their own");
        open.pop();
        assert!(streams.open(&one).is_some());
        drop(open);
        assert!(streams.lock().is_empty(), "nothing is kept of what is over");
    }

    #[test]
    fn a_process_has_a_thousand() {
        let streams = Arc::<Streams>::default();
        let sessions = (0..).map(KeyId::from_chance);
        let open: Vec<_> = sessions.map_while(|session| streams.open(&session)).collect();
        assert_eq!(open.len(), 1_000);
    }
}
