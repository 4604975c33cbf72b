use std::collections::BTreeSet;

use acceptance::{Answer, Bellhop, Client, Sink};
use serde_json::json;

use super::{made, messages, registrations, rules, session, settings, tasks, with_a_dead_letter};
use crate::visitor::{Scripts, Visitor};

/// Every form: its method, its path, and the test that sends it as somebody does. `*` stands for a name or an id.
const FORMS: [(&str, &str, fn()); 36] = [
    ("post", "/console/sign-in", session::whoever_signs_in_is_led_to_the_page_that_was_wanted),
    ("post", "/console/sign-out", session::whoever_signs_out_is_asked_for_a_key_again),
    ("get", "/console/messages", messages::events_are_filtered_and_searched_into_a_list_with_an_address),
    ("post", "/console/messages/*/deliveries/*/retry", messages::what_has_failed_is_tried_once_more_and_arrives),
    ("get", "/console/deliveries", messages::deliveries_are_filtered_into_a_list_with_an_address),
    ("post", "/console/dead-letters/redrive", messages::dead_letters_are_brought_back_and_arrive),
    ("post", "/console/send", tasks::a_button_that_is_pressed_twice_sends_one_message),
    ("get", "/console/tasks", tasks::tasks_are_filtered_into_a_list_with_an_address),
    ("post", "/console/new-task", tasks::each_kind_of_schedule_makes_a_task_as_its_form_says),
    ("post", "/console/tasks/*/edit", tasks::a_task_is_changed_and_what_its_form_does_not_show_stays),
    ("post", "/console/tasks/*/cancel", tasks::a_task_is_cancelled_and_deleted_once_that_is_confirmed),
    ("post", "/console/tasks/*/delete", tasks::a_task_is_cancelled_and_deleted_once_that_is_confirmed),
    (
        "post",
        "/console/new-registration/paste",
        registrations::a_line_as_qd_writes_it_fills_in_the_parameters_of_the_channel_that_is_chosen,
    ),
    (
        "post",
        "/console/new-registration",
        registrations::what_a_channel_does_not_take_is_said_beside_its_parameter_and_what_was_typed_stays,
    ),
    ("post", "/console/registrations/*/edit", registrations::a_registration_is_changed_and_a_secret_that_is_left_empty_stays),
    ("post", "/console/registrations/*/disable", registrations::a_registration_is_switched_off_and_on),
    ("post", "/console/registrations/*/enable", registrations::a_registration_is_switched_off_and_on),
    ("post", "/console/registrations/*/test", registrations::a_test_is_answered_beside_its_button_also_where_it_does_not_arrive),
    ("post", "/console/registrations/*/reveal", registrations::former_values_are_shown_to_whoever_types_a_key_once_more),
    ("post", "/console/registrations/*/delete", registrations::a_registration_is_deleted_once_that_is_confirmed),
    ("post", "/console/browser", registrations::without_scripts_a_browser_that_cannot_subscribe_is_told_so),
    ("post", "/console/new-rule", rules::a_rule_is_made_as_its_form_says),
    ("post", "/console/rules/*/edit", rules::a_rule_is_changed_and_what_nobody_touches_stays),
    ("post", "/console/rules/*/flush", rules::a_digest_is_previewed_and_sent_before_it_is_due),
    ("post", "/console/rules/*/delete", rules::a_rule_is_deleted_once_that_is_confirmed),
    ("post", "/console/explain", rules::what_would_happen_to_an_event_is_shown_and_nothing_does),
    ("post", "/console/sources", rules::a_source_is_switched_off_for_all_rules_and_on_and_forgotten),
    ("post", "/console/sources/forget", rules::a_source_is_switched_off_for_all_rules_and_on_and_forgotten),
    ("post", "/console/new-contact", settings::a_contact_is_made_as_its_form_says),
    (
        "post",
        "/console/contacts/*",
        settings::a_contact_is_changed_what_is_wrong_is_said_beside_the_field_and_what_is_emptied_is_gone,
    ),
    ("post", "/console/contacts/*/delete", settings::a_contact_is_deleted_once_that_is_confirmed),
    ("post", "/console/hooks", settings::the_address_of_a_new_hook_is_shown_once_and_takes_reports),
    ("post", "/console/hooks/*/delete", settings::a_hook_is_deleted_once_that_is_confirmed_and_takes_nothing_any_more),
    ("post", "/console/keys", settings::a_new_key_is_shown_once_and_may_do_what_was_ticked),
    ("post", "/console/keys/*/revoke", settings::a_key_is_revoked_once_that_is_confirmed_and_opens_nothing_any_more),
    ("post", "/console/account", settings::the_accounts_settings_are_saved_as_their_form_says),
];

/// An account with something of everything that a form can be about.
async fn something_of_everything(client: &Client, sink: &Sink) {
    let params = json!({ "url": format!("{}/off", sink.url) });
    client.put("/v1/registrations/off", json!({ "channel": "webhook", "enabled": false, "params": params })).await;
    client.put("/v1/rules/daily", json!({ "to": ["desk"], "batch": { "at": "20:00:00" } })).await;
    client.put("/v1/sources", json!({ "source": "QD/old", "enabled": false })).await;
    client.put("/v1/contacts/alice", json!({ "email": "alice@example.org" })).await;
    made(client, "/v1/hooks", json!({ "name": "nas", "kind": "generic" })).await;
    let daily = json!({ "kind": "daily", "time": "09:00:00" });
    made(client, "/v1/tasks", json!({ "name": "reminder", "to": "desk", "body": "x", "schedule": daily })).await;
    sink.answer([Answer::status(400)]);
    let delivery = client.send(json!({ "to": "desk", "body": "x" })).await.remove(0);
    client.until(&delivery, &["failed"]).await;
}

/// The forms of the page that is open, by method and path; a button may send its form elsewhere.
const FORMS_OF_PAGE: &str = "[...document.querySelectorAll('form')].flatMap(form => {
    const buttons = [...form.querySelectorAll('button')].map(button => button.getAttribute('formaction'));
    const actions = buttons.map(action => action ?? form.getAttribute('action'));
    return (actions.length ? actions : [form.getAttribute('action')])
      .map(action => `${form.method} ${new URL(action, location.href).pathname}`);
})";

/// Where the page that is open leads to within the console.
const LINKS_OF_PAGE: &str = "[...document.querySelectorAll('a[href]')].map(link => new URL(link.href))
    .filter(link => link.origin === location.origin && link.pathname.startsWith('/console'))
    .map(link => link.pathname + link.search)";

async fn texts(visitor: &mut Visitor, script: &str) -> Vec<String> {
    let texts = visitor.page.evaluate(script).await;
    texts.as_array().unwrap().iter().map(|text| text.as_str().unwrap().to_owned()).collect()
}

/// The forms of all pages that links lead to, from the first page on.
async fn forms_of_every_page(bellhop: &Bellhop) -> BTreeSet<String> {
    let mut visitor = Visitor::of(bellhop, Scripts::Off).await;
    let mut forms: BTreeSet<_> = texts(&mut visitor, FORMS_OF_PAGE).await.into_iter().collect();
    visitor.fill("key", &bellhop.client.key).await;
    visitor.submit("/console/sign-in").await;
    let (mut seen, mut next) = (BTreeSet::new(), vec!["/console".to_owned()]);
    while let Some(path) = next.pop() {
        if seen.insert(path.clone()) {
            visitor.open(&path).await;
            forms.extend(texts(&mut visitor, FORMS_OF_PAGE).await);
            next.extend(texts(&mut visitor, LINKS_OF_PAGE).await);
        }
    }
    forms
}

/// Whether a form, such as `post /console/rules/daily/edit`, is the one of that method and path.
fn is(form: &str, method: &str, path: &str) -> bool {
    let Some((own, at)) = form.split_once(' ') else { return false };
    let (at, path): (Vec<_>, Vec<_>) = (at.split('/').collect(), path.split('/').collect());
    own == method && at.len() == path.len() && at.iter().zip(&path).all(|(at, part)| *part == "*" || at == part)
}

#[tokio::test(flavor = "multi_thread")]
async fn every_form_of_every_page_has_a_test_that_sends_it() {
    let (data, sink) = (tempfile::tempdir().unwrap(), Sink::start().await);
    let (bellhop, _) = with_a_dead_letter(&data, &sink).await;
    something_of_everything(&bellhop.client, &sink).await;
    let forms = forms_of_every_page(&bellhop).await;
    let untested: Vec<_> = forms.iter().filter(|form| !FORMS.iter().any(|(method, path, _)| is(form, method, path))).collect();
    assert!(untested.is_empty(), "they have no test: {untested:?}");
    let gone: Vec<_> = FORMS.iter().filter(|(method, path, _)| !forms.iter().any(|form| is(form, method, path))).collect();
    assert!(gone.is_empty(), "they are on no page: {gone:?}");
}
