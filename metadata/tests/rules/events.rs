//! Events: in order, without gaps, bounded, whoever writes at the same time.

use crate::bench::{NOW, each, later};
use tidemark_base::limits::MAX_EVENTS_OF_A_GROUP;
use tidemark_base::{UnixMillis, threads};
use tidemark_metadata::{
    Batch, By, Code, Collection, Event, EventLog, Group, Happening, MemoryStore, Metadata, Name, Query,
    Store, Subject, Text,
};

fn happening(n: u64) -> Happening {
    Happening {
        code: Code::new("SOMETHING").unwrap(),
        subject: None,
        actor: None,
        text: Text::fit(&n.to_string()),
    }
}

fn texts(events: &[Event]) -> Vec<u64> {
    events.iter().map(|it| it.what.text.as_str().parse().unwrap()).collect()
}

#[test]
fn events_are_listed_newest_first_and_page_by_page() {
    each(|bench| {
        let (metadata, group) = (&bench.metadata, Some(bench.group("g").id));
        assert!(metadata.events(group, None, 10).unwrap().is_empty());
        for n in 0..25 {
            metadata.note(group, later(n), &happening(n)).unwrap();
        }
        metadata.note(None, NOW, &happening(99)).unwrap();
        let first = metadata.events(group, None, 10).unwrap();
        assert_eq!(texts(&first), (15..25).rev().collect::<Vec<_>>());
        let second = metadata.events(group, Some(first[9].number), 10).unwrap();
        assert_eq!(texts(&second), (5..15).rev().collect::<Vec<_>>());
        let third = metadata.events(group, Some(second[9].number), 10).unwrap();
        assert_eq!(texts(&third), (0..5).rev().collect::<Vec<_>>());
        assert!(metadata.events(group, Some(0), 10).unwrap().is_empty());
        assert!(metadata.events(group, None, 0).unwrap().is_empty());
        assert_eq!(texts(&metadata.events(None, None, usize::MAX).unwrap()), [99]);
    });
}

#[test]
fn many_write_at_once_and_no_event_is_lost() {
    each(|bench| {
        let group = Some(bench.group("g").id);
        let writers: Vec<_> = (0..3u64)
            .map(|writer| {
                let metadata = bench.metadata.clone();
                threads::spawn("writer", move || {
                    (0..8).for_each(|n| metadata.note(group, NOW, &happening(writer * 100 + n)).unwrap());
                })
                .unwrap()
            })
            .collect();
        writers.into_iter().for_each(|it| it.join().unwrap());
        let events = bench.metadata.events(group, None, 1000).unwrap();
        assert_eq!(events.iter().map(|it| it.number).collect::<Vec<_>>(), (0..24).rev().collect::<Vec<_>>());
        let mut found = texts(&events);
        found.sort_unstable();
        let wanted: Vec<u64> = (0..3).flat_map(|writer| (0..8).map(move |n| writer * 100 + n)).collect();
        assert_eq!(found, wanted);
    });
}

#[test]
fn an_event_happens_with_its_batch_or_not_at_all() {
    each(|bench| {
        let (metadata, group) = (&bench.metadata, bench.group("g"));
        let stored = metadata.get::<Group>(&group.id.to_string()).unwrap();
        let rename = |name: &str| {
            let mut batch = Batch::new();
            let new = Group { name: Name::new(name).unwrap(), ..stored.record.clone() };
            batch.replace(&stored, &new).unwrap();
            metadata.add_event(&mut batch, Some(group.id), NOW, &happening(1)).unwrap();
            metadata.commit(&batch)
        };
        rename("a").unwrap();
        rename("b").unwrap_err();
        assert_eq!(metadata.events(Some(group.id), None, 10).unwrap().len(), 1);
    });
}

#[test]
fn the_oldest_go_when_there_are_too_many() {
    // In memory alone: it is the same code, and ten thousand commits to a disk take their time.
    let store = std::sync::Arc::new(MemoryStore::new());
    let metadata = Metadata::new(store.clone());
    let most = MAX_EVENTS_OF_A_GROUP;
    for n in 0..most + 5 {
        metadata.note(None, NOW, &happening(n)).unwrap();
    }
    let log = metadata.get::<EventLog>("site").unwrap().record;
    assert_eq!((log.first, log.next), (5, most + 5));
    let oldest = metadata.page::<Event>(By::IdPrefix(""), None, 1).unwrap();
    assert_eq!(oldest[0].record.number, 5);
    let mut count = 0;
    let mut after: Option<String> = None;
    loop {
        let query = Query { by: By::IdPrefix("site:"), after: after.as_deref(), limit: 1000 };
        let page = store.scan(Collection::Event, query).unwrap();
        let Some(last) = page.last() else { break };
        count += page.len() as u64;
        after = Some(last.id.clone());
    }
    assert_eq!(count, most);
    assert_eq!(texts(&metadata.events(None, Some(7), 10).unwrap()), [6, 5]);
}

#[test]
fn what_is_told_with_a_deed_is_there_with_it_or_not_at_all() {
    each(|bench| {
        let group = bench.group("g");
        let scope = Some(group.id);
        let told = |n| bench.metadata.telling(scope, later(n), happening(n));
        let rename = |name: &str, n| told(n).rename_group(group.id, Name::new(name).unwrap());
        bench.group("taken");
        rename("other", 1).unwrap();
        assert!(rename("taken", 2).is_err());
        let unchanged = told(3).change::<Group, _>(&group.id.to_string(), |_| Ok(()));
        unchanged.unwrap();
        assert_eq!(
            texts(&bench.metadata.events(scope, None, 10).unwrap()),
            [1],
            "what failed or changed nothing"
        );
    });
}

#[test]
fn deeds_that_are_told_at_once_each_happen_once() {
    let metadata = Metadata::new(std::sync::Arc::new(MemoryStore::new()));
    let mut entropy = tidemark_base::SeededEntropy::new(1);
    let group = metadata.create_group(Name::new("g").unwrap(), NOW, &mut entropy).unwrap().id;
    let workers: Vec<_> = (0..4)
        .map(|worker| {
            let metadata = metadata.clone();
            let work = move || {
                let mut entropy = tidemark_base::SeededEntropy::new(worker + 10);
                for n in 0..20 {
                    let told = metadata.telling(Some(group), NOW, happening(worker * 100 + n));
                    let name = Name::new(format!("{worker}-{n}")).unwrap();
                    told.create_group(name, NOW, &mut entropy).unwrap();
                }
            };
            threads::spawn("worker", work).unwrap()
        })
        .collect();
    workers.into_iter().for_each(|it| it.join().unwrap());
    let mut seen = texts(&metadata.events(Some(group), None, 1000).unwrap());
    seen.sort_unstable();
    let all: Vec<u64> = (0..4).flat_map(|worker| (0..20).map(move |n| worker * 100 + n)).collect();
    assert_eq!(seen, all);
    assert_eq!(metadata.all::<Group>(By::IdPrefix("")).unwrap().len(), 81);
}

#[test]
fn what_is_wrong_stands_until_it_is_noted_as_over_of_the_same_subject() {
    each(|bench| {
        let (metadata, group) = (&bench.metadata, Some(bench.group("g").id));
        let note = |n: u64, code: &str, subject: &str| {
            let (code, subject) = (Code::new(code).unwrap(), Some(Subject::new(subject).unwrap()));
            let what = Happening { code, subject, ..happening(n) };
            metadata.note(group, later(n), &what).unwrap();
        };
        let open = || -> Vec<(String, String, UnixMillis)> {
            let all = metadata.matters(group).unwrap().into_iter();
            all.map(|it| (it.code.to_string(), it.text.to_string(), it.since)).collect()
        };
        let entry = |code: &str, text: &str, since| (code.to_owned(), text.to_owned(), later(since));
        note(1, "SPACE_LOW", "a");
        note(2, "SPACE_BACK", "b");
        // However much is noted after it.
        (10..20).for_each(|n| note(n, "SNAPSHOT_TAKEN", "a"));
        assert_eq!(open(), [entry("SPACE_LOW", "1", 1)]);
        note(20, "SPACE_LOW", "a");
        assert_eq!(open(), [entry("SPACE_LOW", "20", 1)], "what was said last, and since when");
        note(21, "HEAD_DIVERGED", "a");
        note(22, "COPY_ORDERED", "a");
        assert_eq!(open().len(), 3);
        note(23, "BACKUP_STARTED", "a");
        note(24, "SPACE_BACK", "a");
        assert_eq!(open(), []);
        note(25, "SPACE_LOW", "a");
        assert_eq!(open(), [entry("SPACE_LOW", "25", 25)]);
        let subject = Subject::new("a").unwrap();
        assert!(metadata.is_open(group, "SPACE_LOW", Some(&subject)).unwrap());
        assert!(!metadata.is_open(None, "SPACE_LOW", Some(&subject)).unwrap(), "another group's");
        assert!(metadata.matters(None).unwrap().is_empty());
    });
}

#[test]
fn what_is_wrong_with_the_site_is_open_for_the_site() {
    each(|bench| {
        let note = |code: &str| {
            let what = Happening { code: Code::new(code).unwrap(), ..happening(1) };
            bench.metadata.note(None, NOW, &what).unwrap();
        };
        note("STORE_DAMAGED");
        note("STORE_FULL");
        note("STORE_ROOMY");
        let open = bench.metadata.matters(None).unwrap();
        assert_eq!(open.iter().map(|it| it.code.as_str()).collect::<Vec<_>>(), ["STORE_DAMAGED"]);
        note("STORE_SOUND");
        assert!(bench.metadata.matters(None).unwrap().is_empty());
    });
}
