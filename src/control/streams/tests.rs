use super::*;

fn query(query: &str) -> Result<Wanted, String> {
    wanted(query, 100)
}

#[test]
fn a_query_says_where_to_begin_and_whether_to_follow() {
    let minute = Duration::from_mins(1);
    let at = |begin, follow| Ok(Wanted { begin, follow });
    for (given, expected) in [
        ("", at(Begin::Last(100), false)),
        ("follow", at(Begin::Last(100), true)),
        ("follow=1", at(Begin::Last(100), true)),
        ("follow=true&lines=0", at(Begin::Last(0), true)),
        ("follow=0&from=17", at(Begin::From(17), false)),
        ("lines=3", at(Begin::Last(3), false)),
        ("since=1970-01-01T00:01:00Z", at(Begin::Since(SystemTime::UNIX_EPOCH + minute), false)),
        ("since=99999years", at(Begin::Since(SystemTime::UNIX_EPOCH), false)),
    ] {
        assert_eq!(query(given), expected, "{given}");
    }
    let Ok(Wanted { begin: Begin::Since(since), .. }) = query("since=1h%2030m") else { panic!("no moment") };
    let age = SystemTime::now().duration_since(since).unwrap();
    assert!(age >= 90 * minute && age < 91 * minute, "{age:?}");
}

#[test]
fn a_wrong_query_is_told_with_what_was_found() {
    for (given, expected) in [
        ("follow=yes", "follow: expected 1 or 0, found \"yes\""),
        ("lines=many", "lines: expected a number from 0 up, found \"many\""),
        ("lines=-1", "lines: expected a number from 0 up, found \"-1\""),
        ("from=0", "from: expected a number from 1 up, found \"0\""),
        ("since=yesterday", "since: expected a duration or a moment in UTC, found \"yesterday\""),
        ("lnes=5", "unknown parameter \"lnes\": did you mean `lines`?"),
        ("colour", "unknown parameter \"colour\""),
        ("lines=1&from=1", "expected only one of `lines` and `from`"),
        ("lines=1&lines=1", "lines is given twice"),
        ("follow&follow", "follow is given twice"),
        ("lines=%zz", "the query can't be read: a broken escape (%), or no UTF-8"),
    ] {
        assert_eq!(query(given), Err(expected.to_owned()), "{given}");
    }
}

#[test]
fn what_was_missed_is_told_before_what_comes_after_it() {
    let page = Page { dropped: 7, items: vec![Lost { dropped: 1 }, Lost { dropped: 2 }], over: false };
    assert_eq!(told(&page), "{\"dropped\":7}\n{\"dropped\":1}\n{\"dropped\":2}\n");
}

#[tokio::test]
async fn a_reader_who_takes_nothing_holds_two_pages_and_then_goes_on() {
    let kept = Kept::new();
    let (sender, mut receiver) = mpsc::channel(PAGES);
    let reader = kept.lines(None, Begin::Last(0), true).unwrap();
    let feeding = tokio::spawn(feed(reader, sender, QUIET));
    for n in 0..5000 {
        let text = n.to_string();
        kept.line(&crate::kept::Line {
            job: "web",
            check: false,
            stream: None,
            pid: None,
            level: crate::plan::Level::Info,
            time: SystemTime::now(),
            text: text.as_bytes(),
        });
        if n % 500 == 0 {
            tokio::task::yield_now().await;
        }
    }
    kept.end();
    let (mut next, mut dropped) = (1, 0);
    while let Some(piece) = receiver.recv().await {
        for line in std::str::from_utf8(&piece).unwrap().lines() {
            let line: serde_json::Value = serde_json::from_str(line).unwrap();
            if let Some(lost) = line["dropped"].as_u64() {
                (next, dropped) = (next + lost, dropped + lost);
            } else {
                assert_eq!(line["seq"], next);
                next += 1;
            }
        }
    }
    assert_eq!(next, 5001);
    assert!(dropped > 3000, "{dropped}");
    feeding.await.unwrap();
}

#[tokio::test]
async fn a_quiet_stream_is_an_empty_line_now_and_then() {
    let kept = Kept::new();
    let (sender, mut receiver) = mpsc::channel(PAGES);
    let feeding = tokio::spawn(feed(kept.events(Begin::Last(9), true), sender, Duration::from_millis(5)));
    assert_eq!(receiver.recv().await.unwrap(), "\n");
    assert_eq!(receiver.recv().await.unwrap(), "\n");
    drop(receiver);
    feeding.await.unwrap();
}
