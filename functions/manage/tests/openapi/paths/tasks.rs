use bellhop_core::{Code, model::Scope};
use serde_json::json;

use crate::operation::{Operation, operation, schema};

/// What making or changing one is refused with.
const REFUSED: [Code; 9] = [
    Code::InvalidName,
    Code::UnknownRecipient,
    Code::NoDefaultRegistration,
    Code::NoAddress,
    Code::InvalidOption,
    Code::TooManyItems,
    Code::QuotaExceeded,
    Code::Conflict,
    Code::RateLimited,
];

pub(crate) fn operations() -> Vec<Operation> {
    const ALL: &str = "/v1/tasks";
    const ONE: &str = "/v1/tasks/{id}";
    let time = json!({ "type": "string", "format": "date-time" });
    let reminder = json!({
        "name": "reminder", "source": "billing/reminder", "to": ["desk"], "title": "Pay", "body": "by Friday",
        "schedule": { "kind": "daily", "time": "09:30:00", "time_zone": "Asia/Shanghai" }, "max_runs": 3,
    });
    vec![
        operation("POST", ALL, "makeTask", "Make a task")
            .about("A message that is sent by the clock: docs/tasks.md.")
            .scope(Scope::Manage)
            .takes(schema("TaskBody"), reminder.clone())
            .repeatable(false)
            .answers(201, "Made, or made before by the same request.", schema("Task"))
            .codes(&REFUSED),
        operation("POST", "/v1/tasks/bulk", "makeTasks", "Make many tasks")
            .about("Each stands for itself.")
            .scope(Scope::Manage)
            .takes(schema("TasksBody"), json!({ "tasks": [reminder] }))
            .repeatable(false)
            .answers(202, "A task or a problem for each, in order.", schema("TasksMade"))
            .codes(&[Code::TooManyItems, Code::RateLimited]),
        operation("POST", "/v1/tasks/preview", "previewTask", "When a task would run")
            .about("The next five runs, fewer if it ends before. Nothing is kept.")
            .scope(Scope::Read)
            .takes(schema("TimesBody"), json!({ "schedule": { "kind": "cron", "cron": "0 9 * * 1-5" }, "max_runs": 3 }))
            .answers(200, "Its runs, if it were made now.", schema("NextRuns"))
            .codes(&[Code::RateLimited]),
        operation("GET", ALL, "listTasks", "List tasks")
            .about("Newest first. A page of a filtered list may be short or empty while `next_cursor` is set.")
            .scope(Scope::Read)
            .query("state", false, &schema("TaskState"), "In this state.")
            .query("channel", false, &schema("Channel"), "To this channel.")
            .query("source", false, &schema("Source"), "Of this source.")
            .query("from", false, &time, "Made then or later.")
            .query("to", false, &time, "Made before.")
            .paged()
            .lists("Task"),
        operation("GET", ONE, "getTask", "One task").scope(Scope::Read).identified("TaskId", "{task}").answers(
            200,
            "With where it stands.",
            schema("Task"),
        ),
        operation("PATCH", ONE, "changeTask", "Change a task")
            .about("What is absent stays; `schedule` and `options` are replaced whole. Its next run moves with its schedule.")
            .scope(Scope::Manage)
            .identified("TaskId", "{task}")
            .takes(schema("TaskChange"), json!({ "schedule": { "kind": "hourly", "minute": 45 } }))
            .answers(200, "As it is now.", schema("Task"))
            .codes(&REFUSED),
        operation("GET", "/v1/tasks/{id}/runs", "listRuns", "List the runs of a task")
            .about("Newest first, each with its deliveries, 100 at most, and what was tried.")
            .scope(Scope::Read)
            .identified("TaskId", "{task}")
            .paged()
            .lists("Run"),
        operation("POST", "/v1/tasks/{id}/cancel", "cancelTask", "Cancel a task")
            .about("No run begins any more. A task that is over stays as it is.")
            .scope(Scope::Manage)
            .identified("TaskId", "{task}")
            .takes_nothing()
            .answers(200, "As it is now.", schema("Task"))
            .codes(&[Code::Conflict]),
        operation("DELETE", ONE, "deleteTask", "Delete a task")
            .about("With the list of its runs; what they have sent goes its way.")
            .scope(Scope::Manage)
            .identified("TaskId", "{task}")
            .codes(&[Code::Conflict])
            .last(),
    ]
}
