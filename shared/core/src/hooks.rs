//! What is known of the systems that report by hooks: which types of events each has, and what they are called. For forms,
//! and for titles that a system leaves to us.

use serde::Serialize;

use crate::{channel::Text, model::HookKind};

/// One kind of system.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct Known {
    /// Which.
    pub kind: HookKind,
    /// What people call it.
    pub label: Text,
    /// What it reports, as far as is known: whatever else comes is an event, too.
    pub types: &'static [KnownType],
}

/// One type of events.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct KnownType {
    /// The type itself.
    #[serde(rename = "type")]
    pub name: &'static str,
    /// What people call it.
    pub label: Text,
}

const fn known(name: &'static str, en: &'static str, zh: &'static str) -> KnownType {
    KnownType { name, label: Text { en, zh } }
}

/// Every kind there is.
pub const KNOWN: [Known; 4] = [
    Known { kind: HookKind::Bettergi, label: Text { en: "BetterGI", zh: "BetterGI（更好的原神）" }, types: &BETTERGI },
    Known { kind: HookKind::Sqle, label: Text { en: "SQLE", zh: "SQLE" }, types: &SQLE },
    Known { kind: HookKind::Qd, label: Text { en: "QD", zh: "QD" }, types: &[TEST] },
    Known { kind: HookKind::Generic, label: Text { en: "Anything else", zh: "其他系统" }, types: &[] },
];

const TEST: KnownType = known("notify.test", "Test", "测试通知");

/// <https://github.com/huiyadanli/bettergi-docs/blob/main/src/dev/webhook.md> has the first sixteen; the others are in
/// [its code](https://github.com/babalae/better-genshin-impact). `task.cancel` is called a start there, and is sent when a
/// task is cancelled or ends.
const BETTERGI: [KnownType; 22] = [
    TEST,
    known("domain.reward", "Auto domain: reward", "自动秘境奖励"),
    known("domain.start", "Auto domain: started", "自动秘境启动"),
    known("domain.end", "Auto domain: ended", "自动秘境结束"),
    known("domain.retry", "Auto domain: retried", "自动秘境重试"),
    known("task.cancel", "Task cancelled or ended", "任务取消或结束"),
    known("task.error", "Task failed", "任务错误"),
    known("group.start", "Configuration group: started", "配置组启动"),
    known("group.end", "Configuration group: ended", "配置组结束"),
    known("dragon.start", "One-dragon run: started", "一条龙启动"),
    known("dragon.end", "One-dragon run: ended", "一条龙结束"),
    known("tcg.start", "Genius Invokation TCG: started", "七圣召唤启动"),
    known("tcg.end", "Genius Invokation TCG: ended", "七圣召唤结束"),
    known("album.start", "Auto music album: started", "自动音游专辑启动"),
    known("album.end", "Auto music album: ended", "自动音游专辑结束"),
    known("album.error", "Auto music album: failed", "自动音游专辑错误"),
    known("daily.reward", "Daily commission reward", "每日委托奖励"),
    known("js.custom", "Message of a script", "脚本自定义通知"),
    known("js.error", "Error of a script", "脚本错误"),
    known("autoeat.start", "Auto eating: started", "自动吃药启动"),
    known("autoeat.end", "Auto eating: ended", "自动吃药结束"),
    known("autoeat.info", "Auto eating: news", "自动吃药信息"),
];

/// The subjects of SQLE's own notifications.
const SQLE: [KnownType; 12] = [
    TEST,
    known("workflow.create", "SQL workflow waits for approval", "SQL工单待审批"),
    known("workflow.approve", "SQL workflow waits for execution", "SQL工单待上线"),
    known("workflow.reject", "SQL workflow was rejected", "SQL工单已被驳回"),
    known("workflow.exec_success", "SQL workflow was executed", "SQL工单上线成功"),
    known("workflow.exec_failed", "SQL workflow failed to execute", "SQL工单上线失败"),
    known("workflow.cancel", "SQL workflow was closed", "SQL工单已关闭"),
    known("workflow.complete", "SQL workflow was marked as executed by hand", "SQL工单标记为人工上线"),
    known("workflow.auto_exec_success", "SQL workflow was executed on schedule", "SQL工单定时上线成功"),
    known("workflow.auto_exec_failed", "SQL workflow failed to execute on schedule", "SQL工单定时上线失败"),
    known("auditplan.audit", "SQL scan was audited", "SQL扫描任务已审核"),
    known("auditplan.manually-audit", "SQL scan was audited by hand", "SQL扫描任务已手动审核"),
];

/// What a type of a kind is called in that language.
pub fn label(kind: HookKind, event_type: &str, locale: &str) -> Option<&'static str> {
    let types = KNOWN.iter().filter(|known| known.kind == kind).flat_map(|known| known.types);
    types.into_iter().find(|known| known.name == event_type).map(|known| known.label.in_language(locale))
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;
    use crate::model::EventType;

    #[test]
    fn every_known_type_is_a_type_and_is_there_once() {
        for known in KNOWN {
            let names: HashSet<_> = known.types.iter().map(|known| known.name).collect();
            assert_eq!(names.len(), known.types.len(), "{:?}", known.kind);
            assert!(names.iter().all(|name| EventType::parse(name).is_some()));
        }
    }

    #[test]
    fn a_cancelled_task_is_called_what_it_is() {
        assert_eq!(label(HookKind::Bettergi, "task.cancel", "zh-CN"), Some("任务取消或结束"));
        assert_eq!(label(HookKind::Bettergi, "task.cancel", "en"), Some("Task cancelled or ended"));
        assert_eq!(label(HookKind::Bettergi, "AutoBoss", "en"), None);
    }
}
