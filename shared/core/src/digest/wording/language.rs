//! The words of digests, in two languages.

use crate::{
    digest::content::{Content, Line, Tally},
    model::{Language, RunResult, Trigger},
};

/// How an event went.
pub(super) fn mark(result: Option<RunResult>) -> &'static str {
    match result {
        Some(RunResult::Success) => "✅",
        Some(RunResult::Failure) => "❌",
        Some(RunResult::Partial) => "⚠️",
        None => "•",
    }
}

/// In English.
fn several(count: u64, noun: &str) -> String {
    format!("{count} {noun}{}", if count == 1 { "" } else { "s" })
}

impl Language {
    fn say(self, english: String, chinese: String) -> String {
        match self {
            Self::English => english,
            Self::Chinese => chinese,
        }
    }

    fn pick(self, english: &'static str, chinese: &'static str) -> &'static str {
        match self {
            Self::English => english,
            Self::Chinese => chinese,
        }
    }

    pub(super) fn title(self, content: &Content) -> String {
        let (rule, failures) = (&content.rule, content.tally.failures);
        let title = self.say(format!("Digest of {rule}"), format!("任务日志定期推送：{rule}"));
        match failures {
            0 => title,
            failures => title + &self.say(format!(", {failures} failed"), format!("，失败 {failures}")),
        }
    }

    pub(super) fn covers(self, since: &str, until: &str, zone: &str) -> String {
        self.say(format!("From {since} to {until} ({zone})"), format!("记录期间: {since} 至 {until}（{zone}）"))
    }

    pub(super) fn intervals(self, intervals: u64) -> String {
        self.say(
            format!("This covers {intervals} intervals: the service was not running when earlier digests were due."),
            format!("服务曾停止运行，本次汇总 {intervals} 个周期。"),
        )
    }

    pub(super) fn flushed(self) -> &'static str {
        self.pick("Sent on request, not on schedule.", "应请求立即发送，非定期推送。")
    }

    pub(super) fn last(self) -> &'static str {
        self.pick("The last one: this rule collects no more.", "最后一次：该规则不再汇总。")
    }

    pub(super) fn counted(self, tally: Tally, idle: usize) -> String {
        let counts = match tally.total() {
            0 => self.pick("No events", "没有事件").to_owned(),
            total => {
                let counts = self.counts(tally);
                self.say(format!("{}: {counts}", several(total, "event")), format!("共 {total} 条: {counts}"))
            }
        };
        match idle {
            0 => counts,
            idle => counts + &self.say(format!("; {idle} not run"), format!("；{idle} 个任务未执行")),
        }
    }

    /// Of one task, or of all.
    pub(super) fn counts(self, tally: Tally) -> String {
        let counts = [
            (tally.successes, self.pick("succeeded", "成功")),
            (tally.failures, self.pick("failed", "失败")),
            (tally.others, self.pick("other", "其他")),
        ];
        let counts = counts.into_iter().filter(|(count, _)| *count > 0);
        let counts = counts.map(|(count, word)| self.say(format!("{count} {word}"), format!("{word} {count}")));
        counts.collect::<Vec<_>>().join(self.pick(", ", "，"))
    }

    pub(super) fn unlisted_sources(self, sources: u64, events: u64) -> String {
        self.say(
            format!("Not listed, since older: {} of {}.", several(events, "event"), several(sources, "other source")),
            format!("另有 {sources} 个任务的 {events} 条较早记录已计数，未列出。"),
        )
    }

    pub(super) fn earlier(self, events: u64) -> String {
        self.say(format!("… and {events} more before these"), format!("… 此前另有 {events} 条"))
    }

    pub(super) fn not_run(self) -> &'static str {
        self.pick("not run in this period", "记录期间未执行定时任务，请检查任务!")
    }

    pub(super) fn all_of_it(self) -> &'static str {
        self.pick("See all of it", "查看全部")
    }

    pub(super) fn no_site(self) -> &'static str {
        self.pick("Without a site", "无站点")
    }

    pub(super) fn continued(self) -> &'static str {
        self.pick(" (continued)", "（续）")
    }

    pub(super) fn not_shown(self, lines: u64) -> String {
        self.say(
            format!("… not shown for want of room: {}", several(lines, "line")),
            format!("… 另有 {lines} 条因篇幅所限未显示。"),
        )
    }

    /// What an event says.
    pub(super) fn words(self, line: &Line) -> String {
        let title = line.title.as_deref().map(super::folded).unwrap_or_default();
        match (title, super::folded(&line.text)) {
            (title, text) if title.is_empty() && text.is_empty() => self.pick("(no text)", "（无日志）").to_owned(),
            (title, text) if title.is_empty() || title == text => text,
            (title, text) if text.is_empty() => title,
            (title, text) => format!("{title}: {text}"),
        }
    }

    /// What is to be known of an event besides; nothing, or with what sets it apart from the event's own words.
    pub(super) fn remarks(self, line: &Line) -> String {
        let remarks = [
            (line.result == Some(RunResult::Partial), self.pick("in part only", "部分成功")),
            (line.trigger == Trigger::Manual, self.pick("manual", "手动")),
            (line.at_once, self.pick("already told at once", "已即时推送")),
            (line.is_late, self.pick("arrived late", "迟到")),
        ];
        let remarks: Vec<_> = remarks.into_iter().filter(|(is_so, _)| *is_so).map(|(_, remark)| remark).collect();
        match remarks.join(self.pick(", ", "，")) {
            remarks if remarks.is_empty() => remarks,
            remarks => self.say(format!(" ({remarks})"), format!("（{remarks}）")),
        }
    }
}
