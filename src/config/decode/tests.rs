use super::*;
use crate::config::json5;
use crate::config::template::SourceMap;

const NAMES: Names = Names { fields: &["name", "stopTimeout", "port"], private: &["ttl"] };

/// What `decode` makes of a text, then the problems told and the original's message.
fn decoded<T>(text: &str, decode: impl FnOnce(&mut Decoder, &Node, &Place) -> T) -> (T, Vec<String>, Option<String>) {
    // As literal as a file without a template.
    let rendered = crate::config::template::render(text, &crate::env::Environment::default()).unwrap();
    let tree = json5::parse(text).unwrap();
    let mut report = Report::new(text, text, &rendered.map);
    let mut decoder = Decoder::new(&mut report, Rank::OURS);
    let value = decode(&mut decoder, &tree, &Place::section("section").key("field"));
    decoder.finish("");
    let (diagnostics, original) = report.finish();
    (value, diagnostics.into_iter().map(|d| d.message).collect(), original)
}

fn keys(text: &str) -> (Option<[Option<String>; 3]>, Vec<String>) {
    let (value, problems, _) = decoded(text, |d, node, place| {
        let fields = d.object(node, place, NAMES)?;
        let shown = |name| fields.get(name).map(|node| format!("{:?}", node.value));
        Some([shown("name"), shown("stopTimeout"), shown("port")])
    });
    (value, problems)
}

#[test]
fn a_key_is_exact_or_else_in_any_case_and_the_last_one_counts() {
    let number = |n: f64| Some(format!("{:?}", Value::Number(n)));
    assert_eq!(keys("{ NAME: 1, stoptimeout: 2 }"), (Some([number(1.0), number(2.0), None]), vec![]));
    assert_eq!(keys("{ port: null }"), (Some([None, None, None]), vec![]));
    let (value, problems) = keys("{ name: 1, name: 2 }");
    assert_eq!(value, Some([number(2.0), None, None]));
    assert_eq!(problems, ["section.field.name is given more than once: the last one counts"]);
    // The exact one wins wherever it stands, and the other is unknown.
    let (value, problems) = keys("{ name: 1, Name: 2 }");
    assert_eq!(value, Some([number(1.0), None, None]));
    assert_eq!(problems, ["section.field.name is given twice: `Name` is the same key"]);
}

#[test]
fn unknown_keys_are_errors_and_internal_ones_are_not() {
    assert_eq!(keys("{ prot: 1 }").1, ["unknown key `prot` in section.field"]);
    assert_eq!(
        keys("{ ttl: [] }").1,
        ["section.field.ttl is ignored: it was the name of an internal field of ContainerPilot"]
    );
    let (_, _, original) = decoded("{ b: 1, a: 2, a: 3 }", |d, node, place| d.object(node, place, NAMES).is_some());
    assert_eq!(original.as_deref(), Some("1 error(s) decoding:\n\n* 'field' has invalid keys: a, b"));
}

#[test]
fn one_message_of_the_original_names_all_errors_sorted() {
    let ((), problems, original) = decoded("{ name: [], port: \"x\" }", |d, node, place| {
        let fields = d.object(node, place, NAMES).unwrap();
        d.string(fields.get("name"), &place.key("name"));
        d.integer(fields.get("port"), &place.key("port"));
    });
    assert_eq!(problems.len(), 2);
    assert_eq!(
        original.as_deref(),
        Some(
            "2 error(s) decoding:\n\n* 'field.name' expected type 'string', got unconvertible type '[]interface {}'\n\
             * cannot parse 'field.port' as int: strconv.ParseInt: parsing \"x\": invalid syntax"
        )
    );
}

#[test]
fn scalars_turn_into_one_another() {
    let text = |text: &str| decoded(text, |d, node, place| d.string(Some(node), place)).0.value().cloned();
    assert_eq!(text("5.50").as_deref(), Some("5.5"));
    assert_eq!(text("true").as_deref(), Some("1"));
    assert_eq!(text("null"), None);
    let integer = |text: &str| decoded(text, |d, node, place| d.integer(Some(node), place)).0.value().copied();
    assert_eq!(integer("\"0x10\""), Some(16));
    assert_eq!(integer("-1.9"), Some(-1));
    assert_eq!(integer("true"), Some(1));
    assert_eq!(integer("[]"), None);
    let switch = |text: &str| decoded(text, |d, node, place| d.boolean(Some(node), place)).0.value().copied();
    assert_eq!(switch("\"\""), Some(false));
    assert_eq!(switch("0.1"), Some(true));
    assert_eq!(switch("\"T\""), Some(true));
    assert_eq!(switch("\"on\""), None);
    let texts = |text: &str| decoded(text, |d, node, place| d.strings(Some(node), place)).0.value().cloned();
    assert_eq!(texts("[1, null, \"a\"]"), Some(vec!["1".to_owned(), String::new(), "a".to_owned()]));
    assert_eq!(texts("{}"), Some(Vec::new()));
    assert_eq!(texts("\"a\""), None);
}

#[test]
fn seconds_with_a_unit_are_told_without() {
    let label = |text: &str| {
        let rendered = crate::config::template::render(text, &crate::env::Environment::default()).unwrap();
        let tree = json5::parse(text).unwrap();
        let mut report = Report::new(text, text, &rendered.map);
        let mut decoder = Decoder::new(&mut report, Rank::OURS);
        assert!(decoder.seconds(Some(&tree), &Place::section("interval")).is_bad());
        decoder.finish("");
        let told = report.finish().0.pop().unwrap();
        assert_eq!(told.message, format!("interval: expected whole seconds, found {text}"));
        told.label
    };
    assert_eq!(label("\"90s\""), "did you mean 90?");
    assert_eq!(label("\"1m30s\""), "did you mean 90?");
    for other in ["\"1.5s\"", "\"-5s\"", "\"0s\"", "\"five\""] {
        assert_eq!(label(other), "", "{other}");
    }
}

#[test]
fn a_key_in_two_cases_is_told_as_one_that_is_there_twice() {
    let said = |text: &str| {
        let rendered = crate::config::template::render(text, &crate::env::Environment::default()).unwrap();
        let tree = json5::parse(text).unwrap();
        let mut report = Report::new(text, text, &rendered.map);
        let mut decoder = Decoder::new(&mut report, Rank::OURS);
        decoder.object(&tree, &Place::section("jobs"), NAMES);
        decoder.finish("");
        report.finish().0.into_iter().map(|d| (d.path, d.message)).collect::<Vec<_>>()
    };
    let told = |key: &str| [("jobs.port".to_owned(), format!("jobs.port is given twice: `{key}` is the same key"))];
    assert_eq!(said("{ PORT: 5, port: 6 }"), told("PORT"));
    assert_eq!(said("{ port: 6, Port: 5 }"), told("Port"));
    // Without the name itself the last one counts.
    assert_eq!(said("{ PORT: 5, Port: 6 }"), told("PORT"));
}

#[test]
fn nothing_made_by_a_template_is_repeated() {
    // A map without pieces: all of the text came from somewhere else.
    let map = SourceMap::default();
    let text = "{ secret: 5 }";
    let tree = json5::parse(text).unwrap();
    let mut report = Report::new("{{ .X }}", text, &map);
    let mut decoder = Decoder::new(&mut report, Rank::OURS);
    decoder.object(&tree, &Place::section("jobs"), NAMES);
    decoder.finish("");
    let (diagnostics, _) = report.finish();
    let said =
        format!("{:?}", diagnostics.iter().map(|d| (&d.path, &d.message, &d.label, &d.help)).collect::<Vec<_>>());
    assert!(said.contains("unknown key in jobs, made by the template") && !said.contains("secret"), "{said}");
}
