//! Hostile names, ids and documents: nothing that a terminal acts upon comes out.

use crate::rig::{Place, Ran, run};
use tidemark_base::CollectionUuid;
use tidemark_head::dump::{Compression, DirectoryWriter, Namespace, Part, Sink, Target, Versions};

const NAME: &str = "a\x1b[2J\u{9b}31m\u{202e}\r\nb";

/// A head with a collection of such a name, and such a document in it.
fn hostile() -> Place {
    let place = Place::new();
    let dump = place.path("dump");
    let namespace =
        Namespace { uuid: Some(CollectionUuid::from_bytes([7; 16])), ..Namespace::bare("app", NAME) };
    let part = Part::of(namespace);
    let (versions, parts) = (Versions::default(), vec![part.clone()]);
    let mut writer =
        DirectoryWriter::new(dump.as_ref(), Target::Empty, Compression::Plain, &versions, parts).unwrap();
    writer.begin(&part).unwrap();
    writer.documents(&bson::doc! {"_id": NAME, NAME: NAME}.to_vec().unwrap()).unwrap();
    writer.end().unwrap();
    writer.finish().unwrap();
    place.on_head(&["head", "import", &dump]).code(0);
    place
}

#[track_caller]
fn is_quiet(ran: &Ran) {
    for text in [&ran.stderr, &ran.text()] {
        let acts = |it: char| it != '\n' && (it.is_control() || it == '\u{202e}');
        assert!(!text.chars().any(acts), "{text:?}");
    }
}

#[test]
fn names_ids_and_documents_are_escaped_wherever_they_are_shown() {
    let place = hostile();
    let namespace = format!("app.{NAME}");
    let id = serde_json::to_string(NAME).unwrap();
    for output in ["text", "json"] {
        let say = |args: &[&str]| place.on_head(&[args, &["-o", output]].concat());
        let out = place.path(output);
        let exported = say(&["export", "--out", &out]).code(0);
        is_quiet(&exported);
        assert!(exported.stderr.contains("mongorestore passes over app.a"), "{}", exported.stderr);
        let got = say(&["get", "--ns", &namespace, "--id", &id]).code(0);
        is_quiet(&got);
        let document = if output == "json" { got.json()["document"].clone() } else { got.json() };
        assert_eq!(document, serde_json::json!({"_id": NAME, NAME: NAME}));
        is_quiet(&say(&["get", "--ns", &namespace, "--id", &format!("\"x{}\"", "\u{9b}")]).code(4));
        is_quiet(&say(&["get", "--ns", NAME, "--id", "1"]).code(2));
        is_quiet(&say(&["get", "--ns", "app.x", "--id", NAME]).code(2));
        is_quiet(&say(&["export", "--out", &place.path("x"), "--ns", &format!("app.x{NAME}")]).code(4));
        is_quiet(&say(&["export", "--out", &place.path("x"), "--time", NAME]).code(2));
        is_quiet(&say(&["head", "apply", NAME, "--after", "1,1"]).code(4));
        is_quiet(&run(&["head", "ls", "--store", NAME, "-o", output]).code(1));
        is_quiet(&run(&["snapshot", "list", "--store", "x", "--name", NAME]).code(2));
        is_quiet(&run(&[NAME]).code(2));
    }
}

#[test]
fn errors_are_json_when_results_are() {
    let place = Place::new();
    let ran = place.on_head(&["snapshot", "list", "-o", "json"]).code(4);
    let error: serde_json::Value = serde_json::from_str(&ran.stderr).unwrap();
    assert_eq!(error["exit_code"], 4);
    assert!(error["error"].as_str().unwrap().contains("there is no head"));
}
