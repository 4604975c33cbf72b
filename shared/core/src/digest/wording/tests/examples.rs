//! What digests look like.

use Format::{Html, Markdown, Text};
use Language::{Chinese, English};
use RunResult::{Failure, Partial, Success};

use super::*;
use crate::channel::Unit;

/// One of everything.
fn sample() -> Content {
    let entries = [
        entry(1, "SiteA/main", Some(Success), "signed in\n+10"),
        Entry { trigger: Trigger::Manual, ..entry(2, "SiteA/main", Some(Failure), "err: HTTP 500") },
        Entry { at_once: true, title: Some("Half".to_owned()), ..entry(3, "SiteA/main", Some(Partial), "<b>3</b> of *5*") },
        Entry { at: at("2026-11-22T03:59:00Z"), ..entry(4, "SiteB/other", None, "") },
    ];
    Content {
        idle: vec![Source::parse("SiteA/second").unwrap()],
        link: Some("https://bellhop.example.com/rules/nightly".to_owned()),
        ..content(&entries, 200)
    }
}

#[test]
fn in_english_as_plain_text() {
    let Part { title, message } = whole(&sample(), English, Text);
    assert_eq!(title, "Digest of nightly, 2 failed");
    assert_eq!(
        message,
        "\
From 2026-11-22 12:00:00 to 2026-11-22 13:00:00 (Asia/Shanghai)
4 events: 1 succeeded, 2 failed, 1 other; 1 not run
See all of it: https://bellhop.example.com/rules/nightly

== SiteB ==
other: 1 other
2026-11-22 11:59:00 • (no text) (arrived late)

== SiteA ==
main: 1 succeeded, 2 failed
2026-11-22 12:00:01 ✅ signed in +10
2026-11-22 12:00:02 ❌ err: HTTP 500 (manual)
2026-11-22 12:00:03 ⚠️ Half: <b>3</b> of *5* (in part only, already told at once)

second
not run in this period"
    );
}

#[test]
fn in_chinese_it_reads_like_that_of_qd() {
    let Part { title, message } = whole(&sample(), Chinese, Text);
    assert_eq!(title, "任务日志定期推送：nightly，失败 2");
    assert_eq!(
        message,
        "\
2026-11-22 13:00:00

记录期间: 2026-11-22 12:00:00 至 2026-11-22 13:00:00（Asia/Shanghai）
共 4 条: 成功 1，失败 2，其他 1；1 个任务未执行
查看全部: https://bellhop.example.com/rules/nightly

=====站点: SiteB=====
-----任务1-other（其他 1）-----
时间: 2026-11-22 11:59:00
日志: • （无日志）（迟到）

=====站点: SiteA=====
-----任务1-main（成功 1，失败 2）-----
时间: 2026-11-22 12:00:01
日志: ✅ signed in +10
时间: 2026-11-22 12:00:02
日志: ❌ err: HTTP 500（手动）
时间: 2026-11-22 12:00:03
日志: ⚠️ Half: <b>3</b> of *5*（部分成功，已即时推送）

-----任务2-second-----
记录期间未执行定时任务，请检查任务!"
    );
}

#[test]
fn in_markdown_with_headings_and_lists() {
    assert_eq!(
        whole(&sample(), English, Markdown).message,
        "\
From 2026-11-22 12:00:00 to 2026-11-22 13:00:00 (Asia/Shanghai)

4 events: 1 succeeded, 2 failed, 1 other; 1 not run

[See all of it](https://bellhop.example.com/rules/nightly)

## SiteB

### other – 1 other

- 2026-11-22 11:59:00 • (no text) (arrived late)

## SiteA

### main – 1 succeeded, 2 failed

- 2026-11-22 12:00:01 ✅ signed in +10
- 2026-11-22 12:00:02 ❌ err: HTTP 500 (manual)
- 2026-11-22 12:00:03 ⚠️ Half: \\<b>3\\</b> of \\*5\\* (in part only, already told at once)

### second

- not run in this period"
    );
}

#[test]
fn in_html_as_a_table_with_a_bar() {
    let line = |at: &str, mark: &str, words: &str| {
        let at = format!("<td style=\"color:#666;white-space:nowrap\">{at}</td>");
        format!("<tr valign=\"top\">{at}<td>{mark}</td><td>{words}</td></tr>\n")
    };
    let row = |html: &str| format!("<tr><td colspan=\"3\">{html}</td></tr>\n");
    let task = |name: &str, counted: &str| row(&format!("<h3 style=\"margin:8px 0 0;font-size:14px\">{name}{counted}</h3>"));
    let grey = |words: &str| format!("<span style=\"color:#666\">{words}</span>");
    let expected = [
        "<table cellpadding=\"3\" cellspacing=\"0\" border=\"0\" style=\"border-collapse:collapse;font-family:sans-serif;\
         font-size:14px\">\n",
        &row("From 2026-11-22 12:00:00 to 2026-11-22 13:00:00 (Asia/Shanghai)"),
        &row("4 events: 1 succeeded, 2 failed, 1 other; 1 not run"),
        "<tr><td colspan=\"3\"><table width=\"240\" cellpadding=\"0\" cellspacing=\"0\" border=\"0\"><tr>\
         <td width=\"80\" height=\"10\" bgcolor=\"#2da44e\" style=\"font-size:1px;line-height:10px\">&nbsp;</td>\
         <td width=\"160\" height=\"10\" bgcolor=\"#cf222e\" style=\"font-size:1px;line-height:10px\">&nbsp;</td>\
         </tr></table></td></tr>\n",
        &row("<a href=\"https://bellhop.example.com/rules/nightly\">See all of it</a>"),
        &row("<h2 style=\"margin:16px 0 0;font-size:18px\">SiteB</h2>"),
        &task("other", &grey(" (1 other)")),
        &line("2026-11-22 11:59:00", "•", &format!("(no text){}", grey(" (arrived late)"))),
        &row("<h2 style=\"margin:16px 0 0;font-size:18px\">SiteA</h2>"),
        &task("main", &grey(" (1 succeeded, 2 failed)")),
        &line("2026-11-22 12:00:01", "✅", "signed in +10"),
        &line("2026-11-22 12:00:02", "❌", &format!("err: HTTP 500{}", grey(" (manual)"))),
        &line(
            "2026-11-22 12:00:03",
            "⚠️",
            &format!("Half: &lt;b&gt;3&lt;/b&gt; of *5*{}", grey(" (in part only, already told at once)")),
        ),
        &task("second", ""),
        "<tr><td colspan=\"3\" style=\"color:#666\">not run in this period</td></tr>",
        "</table>",
    ];
    assert_eq!(whole(&sample(), English, Html).message, expected.concat());
}

#[test]
fn what_is_counted_and_not_listed_is_said() {
    let entries = [
        entry(1, "SiteA/old", Some(Success), "1"),
        entry(2, "SiteA/main", Some(Success), "2"),
        entry(3, "SiteA/main", None, "3"),
        entry(4, "SiteA/main", Some(Failure), "4"),
    ];
    let content = content(&entries, 1);
    let english = whole(&content, English, Text).message;
    assert!(english.contains("4 events: 2 succeeded, 1 failed, 1 other\n"), "{english}");
    assert!(english.contains("Not listed, since older: 1 event of 1 other source."), "{english}");
    assert!(english.contains("main: 1 succeeded, 1 failed, 1 other\n… and 2 more before these\n2026"), "{english}");
    let chinese = whole(&content, Chinese, Text).message;
    assert!(chinese.contains("另有 1 个任务的 1 条") && chinese.contains("\n… 此前另有 2 条\n时间"), "{chinese}");
}

#[test]
fn it_says_why_it_ends_there_and_what_it_makes_up_for() {
    let of = |because, intervals, language| {
        let one = content(&[entry(1, "a", None, "1")], 9);
        whole(&Content { intervals, because, ..one }, language, Text).message
    };
    let due = of(Because::Due, 1, English);
    for (because, intervals, language, words) in [
        (Because::Due, 3, English, "This covers 3 intervals: the service was not running"),
        (Because::Due, 3, Chinese, "本次汇总 3 个周期"),
        (Because::Flushed, 0, English, "Sent on request"),
        (Because::Flushed, 0, Chinese, "应请求立即发送"),
        (Because::Last, 0, English, "The last one"),
        (Because::Last, 0, Chinese, "最后一次"),
    ] {
        let message = of(because, intervals, language);
        assert!(message.contains(words) && !due.contains(words), "{message}");
    }
}

#[test]
fn sources_without_a_site_have_no_heading_where_there_is_no_other() {
    let alone = [entry(1, "BetterGI", None, "1")];
    assert!(whole(&content(&alone, 9), English, Text).message.contains("1 other\n\nBetterGI: 1 other\n"));
    let beside = [entry(1, "BetterGI", None, "1"), entry(2, "QD/a", None, "1")];
    assert!(whole(&content(&beside, 9), English, Text).message.contains("\n== Without a site ==\nBetterGI: 1 other\n"));
}

#[test]
fn where_nothing_ran_the_idle_are_told_of() {
    let idle = ["SiteA/a", "SiteA/b"].map(|source| Source::parse(source).unwrap()).to_vec();
    let content = Content { idle, ..content([], 9) };
    assert_eq!(
        whole(&content, English, Text).message.split_once('\n').unwrap().1,
        "No events; 2 not run\n\n== SiteA ==\na\nnot run in this period\n\nb\nnot run in this period"
    );
    assert!(!whole(&content, English, Html).message.contains("&nbsp;"), "a bar of nothing");
}

#[test]
fn an_hour_that_the_clock_shows_twice_is_told_apart() {
    let berlin = TimeZone::get("Europe/Berlin").unwrap();
    let told = |time: &str| local(at(time), &berlin);
    assert_eq!(told("2026-10-25T00:30:00Z"), "2026-10-25 02:30:00 +02:00");
    assert_eq!(told("2026-10-25T01:30:00Z"), "2026-10-25 02:30:00 +01:00");
    assert_eq!(told("2026-10-25T02:30:00Z"), "2026-10-25 03:30:00");
    let fixed = Content { time_zone: TimeZone::fixed(jiff::tz::offset(5)), ..content([], 9) };
    assert_eq!(zone(&fixed), "UTC+05:00");
}

#[test]
fn what_is_too_long_for_one_message_goes_on_in_the_next_below_the_same_headings() {
    let entries: Vec<_> = (1..=9).map(|second| entry(second, "SiteA/main", Some(Success), &"x".repeat(60))).collect();
    let limit = |max| Some(Limit { max, unit: Unit::Chars });
    let told = parts(&content(&entries, 9), English, Text, limit(20), limit(400));
    let titles: Vec<_> = told.iter().map(|part| part.title.as_str()).collect();
    assert_eq!(titles, ["Digest of nig… (1/3)", "Digest of nig… (2/3)", "Digest of nig… (3/3)"]);
    assert!(told[1].message.starts_with("== SiteA (continued) ==\nmain (continued): 9 succeeded\n2026-11-22 12:00:0"));
}

#[test]
fn of_what_takes_more_than_twenty_parts_the_oldest_is_only_counted() {
    let entries: Vec<_> = (1..=900).map(|second| entry(second, "SiteA/main", Some(Success), "done")).collect();
    let limit = Some(Limit { max: 1000, unit: Unit::Bytes });
    let told = parts(&content(&entries, 1000), English, Text, None, limit);
    let shown: usize = told.iter().map(|part| part.message.matches('✅').count()).sum();
    assert_eq!(told.len(), 20);
    let earlier = format!("… and {} more before these", 900 - shown);
    assert!(told[0].message.contains(&earlier), "{}", told[0].message);
    assert!(told[19].message.ends_with("2026-11-22 12:15:00 ✅ done"), "{}", told[19].message);
}

#[test]
fn what_has_no_room_in_twenty_parts_at_all_is_owned_up_to() {
    let mut content = content(&[entry(1, "SiteA/main", Some(Success), "done")], 9);
    content.idle = (0..900).map(|task| Source::parse(&format!("SiteB/{task}")).unwrap()).collect();
    let told = parts(&content, English, Text, None, Some(Limit { max: 1000, unit: Unit::Bytes }));
    assert_eq!(told.len(), 20);
    assert!(told[19].message.contains("… not shown for want of room:"), "{}", told[19].message);
}

#[test]
fn what_turns_the_writing_round_or_is_unseen_is_left_out() {
    let told = whole(&content(&[entry(1, "Site\u{202e}A/main", Some(Success), "a\u{200b}b\u{2066}c\u{feff}")], 9), English, Text);
    assert!(told.message.contains("== SiteA ==") && told.message.ends_with("✅ abc"), "{}", told.message);
}

#[test]
fn without_a_limit_no_part_is_what_mail_clients_hide() {
    let entries: Vec<_> = (1..=1000).map(|second| entry(second, "SiteA/main", None, &"测".repeat(240))).collect();
    let told = parts(&content(&entries, 1000), Chinese, Html, None, None);
    assert!(told.len() > 1 && told.iter().all(|part| part.message.len() <= 100_000));
}

#[test]
fn readers_of_chinese_get_chinese() {
    for (locale, language) in
        [("zh", Chinese), ("zh-CN", Chinese), ("ZH_tw", Chinese), ("en", English), ("", English), ("é", English)]
    {
        assert_eq!(Language::of(locale), language, "{locale}");
    }
}

#[test]
fn in_whatever_order_events_come_the_digest_is_the_same() {
    let entries: Vec<_> =
        (0..40).map(|second| entry(second, &format!("S{}/t{}", second % 3, second % 5), None, &second.to_string())).collect();
    let there = parts(&content(&entries, 20), Chinese, Markdown, None, None);
    assert_eq!(there, parts(&content(entries.iter().rev(), 20), Chinese, Markdown, None, None));
}

#[test]
fn mail_gets_html_chats_get_markdown_and_the_rest_gets_text() {
    for (shows, gets) in [
        (&[Html, Markdown, Text][..], Html),
        (&[Markdown, Text], Markdown),
        (&[Html, Text], Markdown),
        (&[Text, Markdown, Html], Text),
        (&[], Text),
    ] {
        assert_eq!(form(shows), gets, "{shows:?}");
    }
}
