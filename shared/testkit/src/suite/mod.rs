//! One contract suite per port: what every implementation must do, whatever it stands on.
//!
//! [`port_suite!`](crate::port_suite) makes one test of each case, so that a failing case has a name. The suites assume
//! that every case gets empty ports of its own; that their clock may be real or simulated; and nothing about how long a
//! received wake-up stays away. What a case needs from time it says in the times that it hands over.

pub mod accounts;
pub mod alone;
pub mod audit;
pub mod clients;
pub mod digests;
pub mod directory;
pub mod formers;
pub mod hooks;
pub mod ledger;
pub mod pace;
pub mod protocol;
pub mod queue;
pub mod readers;
pub mod records;
pub mod rules;
pub mod tasks;
pub mod tokens;
pub mod vapid;

use std::time::Duration;

use bellhop_core::{
    Timestamp,
    model::{AccountId, Attempt, ChannelId, Delivery, Event, EventId, Job, Outcome, State},
    ports::{Acceptance, Accepted, Ports, Wake},
    transition::{Claim, Claimed, Next, Settlement},
};

use crate::{acceptance, account, channel, event};

/// Expands to one `#[tokio::test]` per case. Takes the path of an `async fn() -> (Ports, T)`; the `T` is whatever has to
/// outlive the case, a temporary directory for example. The caller depends on tokio with `macros` and `rt-multi-thread`.
///
/// `port_suite!(hosted make)` leaves out what a service does by itself and its emulators do not show ([`alone`]);
/// `port_suite!(together all make)` makes of the same one `async fn all()`, for what is slow to start.
#[macro_export]
macro_rules! port_suite {
    ($make:path) => {
        $crate::port_suite! { hosted $make }
        $crate::port_suite! { @each $make =>
            alone {
                expire_forgets_what_has_expired_and_no_more_than_asked,
                what_an_account_has_kept_for_long_enough_is_forgotten_and_no_more_than_asked,
                an_entry_of_the_audit_is_forgotten_when_its_time_is_over,
                a_quiet_account_does_not_wait_for_a_busy_one,
            }
        }
    };
    (hosted $make:path) => {
        $crate::port_suite! { @hosted each $make }
    };
    (together $all:ident $make:path) => {
        $crate::port_suite! { @hosted $all $make }
    };
    (@hosted $how:ident $make:path) => {
        $crate::port_suite! { @$how $make =>
            ledger {
                a_new_event_is_kept_and_each_delivery_is_queued,
                an_event_without_a_key_is_kept_every_time,
                an_event_of_the_same_id_is_the_same,
                the_same_key_and_body_make_nothing_new,
                the_same_key_never_plans_again,
                the_same_key_with_another_body_is_a_mismatch,
                the_same_key_on_another_route_is_another_key,
                the_same_key_of_another_account_is_another_key,
                an_expired_key_can_be_used_again,
                recall_tells_what_a_key_stands_for_and_makes_nothing,
                two_requests_with_one_key_make_one_event,
            }
            protocol {
                the_first_wake_up_claims_and_the_row_says_so,
                a_live_claim_keeps_others_away,
                a_claim_that_is_over_is_recorded_as_unknown_and_passes_on,
                of_two_claims_at_once_one_wins,
                a_settled_delivery_is_over,
                a_lost_claim_settles_nothing,
                another_attempt_is_armed_and_does_not_come_early,
                another_attempt_comes_when_it_is_due,
                an_old_wake_up_opens_the_one_after_it,
                what_waits_is_brought_forward_and_what_is_under_way_is_not,
                what_its_receiver_acknowledges_is_confirmed_once,
                a_wake_up_that_is_armed_again_outlives_the_acknowledgement_of_the_old_one,
                a_wake_up_beyond_fifteen_minutes_waits_for_advance,
                advance_takes_the_earliest_and_no_more_than_asked,
                the_last_receive_is_recorded_as_a_dead_letter,
                a_delivery_that_is_over_can_be_reopened,
                a_delivery_that_is_not_over_cannot_be_reopened,
                reopening_what_has_no_row_queues_the_planned_wake_up,
            }
            pace {
                slots_follow_the_rate,
                no_two_workers_get_the_same_slot,
                a_pause_is_seen_on_the_registration_and_only_grows,
                slots_begin_after_a_pause,
                a_save_ends_a_pause,
                a_silence_is_noted_over_the_one_that_was_seen_alone,
                of_two_who_would_try_a_silent_registration_one_may,
                a_save_ends_a_silence,
            }
            records {
                a_record_is_read_as_it_was_saved,
                a_record_is_saved_over_the_version_before_alone,
                of_two_saves_of_a_record_at_once_one_wins,
                all_of_a_kind_follow_the_latest_save,
                records_are_listed_by_name_page_by_page,
            }
            digests {
                a_schedule_is_read_as_it_was_saved,
                a_schedule_is_saved_over_the_version_before_alone,
                of_two_who_freeze_at_once_one_gets_there_and_nothing_stands_twice,
                schedules_are_due_the_earliest_first_page_by_page,
                a_deleted_schedule_is_not_due_and_can_be_made_anew,
                an_event_is_collected_for_each_rule_of_its_plan,
                the_same_report_is_collected_once,
                a_digest_holds_what_was_collected_up_to_its_end,
                what_comes_after_the_freeze_stands_in_the_next_digest,
                a_rule_that_is_made_anew_tells_nothing_again,
                what_is_older_than_asked_for_is_not_read,
                many_entries_are_read_whole,
            }
            tasks {
                a_task_is_read_as_it_was_saved_by_its_own_account_alone,
                a_task_is_saved_over_the_version_before_alone,
                of_two_who_begin_a_run_at_once_one_gets_there,
                tasks_are_listed_newest_first_within_their_bounds,
                a_task_is_due_when_it_says_until_it_says_otherwise,
                tasks_and_schedules_are_due_together_the_earliest_first_page_by_page,
                the_runs_of_a_task_are_listed_newest_first,
                a_deleted_task_is_neither_there_nor_due,
                under_one_key_one_task_is_made,
                those_that_wait_for_a_run_are_counted,
            }
            rules {
                thirty_two_failures_at_once_are_counted_exactly,
                failures_at_once_in_four_processes_are_counted_exactly,
            }
            clients {
                a_token_is_one_accounts_until_it_gives_it_up,
                a_number_is_one_events,
                a_line_keeps_the_order_of_ids_whoever_comes_first,
                a_client_is_on_its_latest_connection,
                the_end_of_an_old_connection_does_not_end_the_new_one,
                a_client_is_let_go_of_a_connection_of_which_nothing_else_is_known,
                whoever_says_another_name_on_the_same_connection_is_not_there_under_the_first,
            }
            queue {
                an_empty_queue_gives_nothing,
                no_more_is_received_than_was_asked_for,
                channels_do_not_see_each_other,
                a_received_wake_up_does_not_come_again_by_itself,
                what_is_given_back_comes_again,
                what_is_given_back_for_later_does_not_come_now,
                what_is_acknowledged_is_gone,
                acknowledging_twice_is_harmless,
                receives_are_counted_from_claim_to_claim,
                a_buried_wake_up_is_a_dead_letter_of_its_channel,
                a_redriven_wake_up_counts_from_one_again,
                ready_tells_of_what_arrives,
            }
            readers {
                an_event_is_read_by_its_own_account_alone,
                events_are_listed_newest_first_within_their_bounds,
                delivery_rows_come_in_the_order_they_were_asked_for,
                a_delivery_is_listed_in_its_present_state_alone,
                deliveries_in_a_state_are_listed_newest_first_below_the_cursor,
            }
            directory {
                a_registration_is_read_as_it_was_saved,
                a_registration_is_saved_over_the_version_before_alone,
                of_two_saves_at_once_one_wins,
                a_deleted_registration_can_be_made_anew,
                a_registration_is_switched_off_at_its_version_alone,
                the_owners_next_save_switches_on_again,
                groups_follow_the_latest_save,
                defaults_follow_the_latest_save,
                those_for_contacts_follow_the_latest_save,
                registrations_are_listed_by_name_page_by_page,
                registrations_on_a_channel_are_counted,
                registrations_of_other_accounts_are_not_there,
                an_account_is_read_as_it_was_saved,
                a_key_is_kept_once_and_never_replaced,
                keys_are_listed_oldest_first_for_their_account,
                a_key_is_revoked_by_its_account_alone,
                a_picture_is_kept_byte_by_byte_and_forgotten,
                pictures_of_other_accounts_are_not_there,
            }
            formers {
                the_last_five_former_parameters_are_kept,
                a_save_with_the_same_parameters_keeps_nothing,
                former_parameters_say_on_which_channel_they_were,
                former_parameters_go_with_their_registration,
                former_parameters_of_other_accounts_are_not_there,
            }
            accounts {
                an_account_is_made_once_and_with_its_first_key_or_not_at_all,
                accounts_are_listed_by_name_page_by_page,
                a_deleted_account_stays_deleted_and_its_name_is_not_given_again,
            }
            hooks {
                a_hook_is_found_by_its_tokens_hash,
                a_hooks_name_is_taken_once_in_its_account,
                hooks_are_listed_by_name_for_their_account,
                a_deleted_hook_is_not_found_and_its_name_is_free,
            }
            audit {
                entries_of_the_audit_are_listed_newest_first_page_by_page,
                each_account_has_an_audit_of_its_own,
            }
            tokens {
                the_first_who_asks_may_fetch_and_others_wait,
                of_two_who_ask_at_once_one_may_fetch,
                a_token_that_was_put_is_there_for_all_until_shortly_before_its_end,
                a_token_is_for_its_own_account_channel_and_credential,
                a_fetch_that_failed_frees_the_right_at_once,
                a_right_that_is_over_passes_on_and_what_comes_too_late_is_not_kept,
                a_refused_token_is_passed_over_and_its_successor_is_not,
                a_refused_credential_is_refused_to_all_who_ask_within_a_minute,
            }
            vapid {
                there_is_no_key_until_somebody_wants_it,
                a_key_is_made_once,
                all_who_want_a_key_at_once_get_the_same,
            }
        }
    };
    (@each $make:path => $($port:ident { $($case:ident,)+ })+) => {$(
        mod $port {
            use super::*;
            $(
                #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                async fn $case() {
                    let (ports, _guard) = $make().await;
                    $crate::suite::$port::$case(&ports).await;
                }
            )+
        }
    )+};
    (@$all:ident $make:path => $($port:ident { $($case:ident,)+ })+) => {
        async fn $all() {
            // each in a box that a function of its own fills: without that, this one needs the room of all cases together
            $($({
                fn case() -> std::pin::Pin<Box<dyn Future<Output = ()> + Send>> {
                    Box::pin(async {
                        let (ports, _guard) = $make().await;
                        $crate::suite::$port::$case(&ports).await;
                    })
                }
                println!("{}::{}", stringify!($port), stringify!($case));
                case().await;
            })+)+
        }
    };
}

/// How long a case waits for what must come.
const PATIENCE: Duration = Duration::from_secs(20);

/// How long a claim of a case lasts.
const LEASE: Duration = Duration::from_mins(1);

/// Keeps a new event with a delivery to each of these registrations, and answers their jobs.
async fn accepted(ports: &Ports, registrations: &[&str]) -> Vec<Job> {
    let event = event(&account(), ports.clock.now(), ports.clock.chance());
    kept(ports, acceptance(event, registrations, None)).await
}

/// Keeps it, and answers its jobs.
async fn kept(ports: &Ports, acceptance: Acceptance) -> Vec<Job> {
    let (owner, plan) = (acceptance.event.account.clone(), acceptance.plan.clone());
    let accepted = ports.ledger.accept(acceptance).await.expect("the ledger accepts");
    let Accepted::New(id) = accepted else { panic!("not new: {accepted:?}") };
    let stored = ports.events.get(&owner, id).await.expect("events are read").expect("what was accepted is there");
    plan.deliveries.iter().map(|planned| planned.job(&stored.event)).collect()
}

/// The next wake-ups of `probe`, once there are some.
async fn received(ports: &Ports) -> Vec<Wake> {
    received_on(ports, &channel(), 10).await
}

async fn received_on(ports: &Ports, channel: &ChannelId, most: usize) -> Vec<Wake> {
    let coming = async {
        loop {
            let wakes = ports.queue.receive(channel, most).await.expect("the queue answers");
            if !wakes.is_empty() {
                return wakes;
            }
            ports.queue.ready(channel).await;
        }
    };
    tokio::time::timeout(PATIENCE, coming).await.expect("a wake-up comes")
}

/// The next wake-up of `probe`, which is the only one.
async fn the_wake(ports: &Ports) -> Wake {
    let mut wakes = received(ports).await;
    assert_eq!(wakes.len(), 1, "{wakes:?}");
    wakes.remove(0)
}

async fn nothing_comes(ports: &Ports) {
    let wakes = ports.queue.receive(&channel(), 10).await.expect("the queue answers");
    assert!(wakes.is_empty(), "{wakes:?}");
}

fn wish(ports: &Ports, token: u128) -> Claim {
    Claim { token, now: ports.clock.now(), lease: LEASE, last_receive: false }
}

async fn claimed(ports: &Ports, job: &Job, token: u128) -> Delivery {
    match ports.ledger.claim(job, &wish(ports, token)).await.expect("the ledger claims") {
        Claimed::Mine(row) => row,
        other => panic!("not mine: {other:?}"),
    }
}

fn attempt(n: u32, outcome: Outcome, at: Timestamp) -> Attempt {
    Attempt { n, at, outcome, reason: None, status: None, detail: None, duration_ms: 1, repeated: false }
}

/// Claims and settles.
async fn settled(ports: &Ports, job: &Job, outcome: Outcome, next: Next) {
    let row = claimed(ports, job, 77).await;
    let now = ports.clock.now();
    let n = u32::try_from(row.attempts.len()).expect("few attempts") + 1;
    let settlement = Settlement { token: 77, attempt: Some(attempt(n, outcome, now)), done: 0, uncounted: false, next, now };
    assert!(ports.ledger.settle(job, &settlement).await.expect("the ledger settles"), "the claim holds");
}

async fn failed(ports: &Ports, job: &Job) {
    settled(ports, job, Outcome::Failed, Next::Final { state: State::Failed, reason: None }).await;
}

async fn row(ports: &Ports, job: &Job) -> Option<Delivery> {
    ports.deliveries.get(job.account(), &[job.delivery]).await.expect("deliveries are read").remove(0)
}

fn other_account() -> AccountId {
    AccountId::parse("other").expect("a name")
}

fn event_at(ports: &Ports, account: &AccountId, ms: i64) -> Event {
    let at = Timestamp::from_millisecond(ms).expect("a time");
    event(account, at, ports.clock.chance())
}

fn below(id: EventId) -> EventId {
    EventId(id.0 - 1)
}

#[cfg(test)]
mod tests {
    #[test]
    fn every_case_is_in_the_list() {
        let list = include_str!("mod.rs");
        let modules = [
            include_str!("alone.rs"),
            include_str!("audit.rs"),
            include_str!("clients.rs"),
            include_str!("digests.rs"),
            include_str!("directory.rs"),
            include_str!("formers.rs"),
            include_str!("hooks.rs"),
            include_str!("ledger.rs"),
            include_str!("pace.rs"),
            include_str!("protocol.rs"),
            include_str!("queue.rs"),
            include_str!("readers.rs"),
            include_str!("records.rs"),
            include_str!("rules.rs"),
            include_str!("tasks.rs"),
            include_str!("tokens.rs"),
        ];
        let cases = modules.iter().flat_map(|module| module.lines()).filter_map(|line| line.strip_prefix("pub async fn "));
        let cases: Vec<_> = cases.filter_map(|line| line.split_once('(')).map(|(case, _)| case).collect();
        assert!(cases.len() >= 60, "{}", cases.len());
        let missing: Vec<_> = cases.into_iter().filter(|case| !list.contains(&format!("                {case},"))).collect();
        assert!(missing.is_empty(), "{missing:?}");
    }
}
