use super::*;
use crate::core::Instance;
use crate::discovery::fake::{Fake, Logged, Reply, consul, ok, status};
use crate::plan::WatchSpec;

const LIMIT: Limit = Limit(Duration::from_secs(2));

fn watch() -> WatchSpec {
    WatchSpec {
        name: "db".to_owned(),
        interval: Duration::from_secs(1),
        tag: String::new(),
        dc: String::new(),
        filter: String::new(),
    }
}

async fn health(client: &Client) -> Result<Vec<Instance>, CallError> {
    client.health(&HealthQuery(&watch()), None).await.map(|healthy| healthy.instances)
}

async fn deregister(client: &Client) -> Result<(), CallError> {
    client.deregister("web-x", LIMIT).await
}

#[tokio::test]
async fn f64_the_token_is_in_one_header_and_nowhere_else() {
    let logged = Logged::start();
    // An agent that repeats what it got, in a body and in a header.
    let fake = Fake::start(|request| {
        let token = request.header("x-consul-token").unwrap_or_default();
        status(500, &format!("{}{token} {token}", "x".repeat(190)))
    })
    .await;
    let mut consul = fake.consul();
    consul.token = Some(Secret::new("s3cr3t-token"));
    let client = Client::new(&consul).unwrap();
    let mut told = vec![format!("{client:?} {consul:?}")];
    for error in [deregister(&client).await.unwrap_err(), health(&client).await.unwrap_err()] {
        told.push(format!("{error} {error:?}"));
    }
    consul.address = "127.0.0.1:1".to_owned();
    let client = Client::new(&consul).unwrap();
    let error = deregister(&client).await.unwrap_err();
    told.push(format!("{error} {error:?}{}", logged.text()));
    assert!(told.iter().all(|text| !text.contains("s3cr")), "{told:?}");
    for request in fake.seen() {
        assert_eq!(request.header("x-consul-token"), Some("s3cr3t-token"));
        assert!(!request.line.contains("s3cr3t"), "{}", request.line);
    }
}

#[tokio::test]
async fn a_token_that_no_header_can_hold_fails_without_being_said() {
    let mut consul = consul("127.0.0.1:1");
    consul.token = Some(Secret::new("a\nb"));
    let error = deregister(&Client::new(&consul).unwrap()).await.unwrap_err();
    assert_eq!(error.to_string(), "the value for the header x-consul-token holds what no header can");
}

#[tokio::test]
async fn f54_a_replaced_token_file_is_read_again_after_a_refusal() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("token");
    std::fs::write(&file, "old\n").unwrap();
    let fake = Fake::start(|request| match request.header("x-consul-token") {
        Some("new") => ok(),
        _ => status(403, "ACL not found"),
    })
    .await;
    let mut consul = fake.consul();
    consul.token_file = Some(file.clone());
    let client = Client::new(&consul).unwrap();
    assert!(client.needs_threads());
    assert_eq!(
        deregister(&client).await.unwrap_err().to_string(),
        "Unexpected response code: 403 (ACL not found) (Consul does not know the token)"
    );
    assert_eq!(fake.seen().len(), 1, "the file holds the same: nothing to try");
    std::fs::write(&file, "new\n").unwrap();
    assert_eq!(deregister(&client).await, Ok(()));
    assert_eq!(fake.seen().len(), 3, "within the same call");
    assert_eq!(deregister(&client).await, Ok(()));
    assert_eq!(fake.seen().len(), 4, "and kept");
}

#[tokio::test]
async fn a_token_file_that_is_not_there_is_named_and_may_come_later() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("token");
    let fake = Fake::start(|_| ok()).await;
    let mut consul = fake.consul();
    consul.token_file = Some(file.clone());
    let client = Client::new(&consul).unwrap();
    let error = deregister(&client).await.unwrap_err().to_string();
    assert!(error.contains("/token can't be read: No such file"), "{error}");
    std::fs::write(&file, "here").unwrap();
    assert_eq!(deregister(&client).await, Ok(()));
}

#[tokio::test]
async fn namespace_and_partition_are_headers_when_set() {
    let fake = Fake::start(|_| ok()).await;
    let mut consul = fake.consul();
    deregister(&Client::new(&consul).unwrap()).await.unwrap();
    consul.namespace = Some("team".to_owned());
    consul.partition = Some("part".to_owned());
    deregister(&Client::new(&consul).unwrap()).await.unwrap();
    let seen = fake.seen();
    assert_eq!((seen[0].header("x-consul-namespace"), seen[0].header("x-consul-token")), (None, None));
    assert_eq!(seen[1].header("x-consul-namespace"), Some("team"));
    assert_eq!(seen[1].header("x-consul-partition"), Some("part"));
}

#[tokio::test]
async fn a_refusal_is_the_original_words_on_one_short_line() {
    let fake = Fake::start(|_| status(500, &format!("a\r\n\x1b[31mb{}", "c".repeat(9999)))).await;
    let error = deregister(&Client::new(&fake.consul()).unwrap()).await.unwrap_err().to_string();
    assert_eq!(error, format!("Unexpected response code: 500 (a [31mb{})", "c".repeat(193)));
    let fake = Fake::start(|_| status(302, "")).await;
    let error = deregister(&Client::new(&fake.consul()).unwrap()).await.unwrap_err();
    assert_eq!(error.to_string(), "Unexpected response code: 302");
}

#[test]
fn a_refusal_says_what_is_probably_wrong_behind_the_original_words() {
    let told = |code, body: &str| CallError::Status { code, body: body.to_owned() }.to_string();
    assert_eq!(told(403, "Permission denied"), "Unexpected response code: 403 (Permission denied)");
    assert!(told(403, "ACL not found").ends_with("403 (ACL not found) (Consul does not know the token)"));
    assert!(told(404, "<!DOCTYPE HTML> <p>").ends_with("404 (<!DOCTYPE HTML> <p>) (this may not be Consul)"));
    assert_eq!(told(503, ""), "Unexpected response code: 503");
}

#[tokio::test]
async fn f62_no_answer_is_too_large_to_be_refused() {
    let fake = Fake::start(|_| Reply::Endless(1 << 20, Duration::ZERO)).await;
    let error = health(&Client::new(&fake.consul()).unwrap()).await.unwrap_err();
    assert_eq!(error, CallError::TooLarge(LARGEST));
}

#[tokio::test]
async fn f62_a_body_without_end_ends_with_the_time_of_the_call() {
    let fake = Fake::start(|_| Reply::Endless(1, Duration::from_millis(20))).await;
    let client = Client::new(&fake.consul()).unwrap();
    let error = client.deregister("web-x", Limit(Duration::from_millis(300))).await.unwrap_err();
    assert_eq!(error.to_string(), format!("no answer from {} within 300ms", fake.address));
}

#[tokio::test]
async fn f62_garbage_is_an_error_and_no_empty_list() {
    for garbage in ["HTTP/0.9 hello", "\0\0\0", "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n[]", ""] {
        let fake = Fake::start(move |_| Reply::Raw(garbage.into())).await;
        let error = health(&Client::new(&fake.consul()).unwrap()).await.unwrap_err();
        assert!(matches!(error, CallError::Transport(_)), "{garbage:?}: {error}");
    }
    let fake = Fake::start(|_| status(200, "{\"oops\"")).await;
    let error = health(&Client::new(&fake.consul()).unwrap()).await.unwrap_err();
    assert!(matches!(error, CallError::Garbage(_)), "{error}");
    assert!(error.to_string().ends_with("(this may not be Consul)"), "{error}");
}

#[tokio::test]
async fn f61_a_list_that_the_token_may_not_read_is_not_empty() {
    let answer = |body: &str| {
        let head = "HTTP/1.1 200 OK\r\nX-Consul-Results-Filtered-By-ACLs: true\r\nContent-Length: ";
        Reply::Raw(format!("{head}{}\r\n\r\n{body}", body.len()).into_bytes())
    };
    let fake = Fake::start(move |_| answer("[]")).await;
    let error = health(&Client::new(&fake.consul()).unwrap()).await.unwrap_err();
    assert_eq!(error.to_string(), "the token may not read the service or its nodes");
    let fake = Fake::start(move |_| answer(r#"[{"Service":{"ID":"db-1","Address":"x"}}]"#)).await;
    assert_eq!(health(&Client::new(&fake.consul()).unwrap()).await.unwrap().len(), 1, "what it may read is known");
}

#[tokio::test]
async fn f51_an_agent_that_never_answers_is_left_in_time() {
    let fake = Fake::start(|_| Reply::Hang).await;
    let client = Client::new(&fake.consul()).unwrap();
    let error = client.deregister("web-x", Limit(Duration::from_millis(200))).await.unwrap_err();
    let from = fake.address.to_string();
    assert_eq!(error, CallError::TimedOut { from, within: Duration::from_millis(200) });
}

#[tokio::test]
async fn f50_a_connection_that_the_agent_gave_up_is_replaced_at_once() {
    // Every second request on a connection is met by its end: once after it was sent, as a restarting agent does.
    let fake = Fake::start({
        let served = std::sync::Mutex::new(std::collections::HashMap::<usize, u32>::new());
        move |request| {
            let mut served = served.lock().unwrap();
            let n = served.entry(request.connection).or_default();
            *n += 1;
            if *n > 1 { Reply::Close } else { ok() }
        }
    })
    .await;
    let client = Client::new(&fake.consul()).unwrap();
    for _ in 0..3 {
        assert_eq!(deregister(&client).await, Ok(()));
    }
    let connections: Vec<usize> = fake.seen().iter().map(|request| request.connection).collect();
    assert_eq!(connections, [1, 1, 2, 2, 3], "kept alive, and one new try each");
}

#[tokio::test]
async fn f50_a_refused_connection_is_told_with_its_reason() {
    let error = deregister(&Client::new(&consul("127.0.0.1:1")).unwrap()).await.unwrap_err().to_string();
    assert_eq!(error, "127.0.0.1:1: tcp connect error: Connection refused (os error 111)");
}

#[tokio::test]
async fn a_unix_socket_is_spoken_to() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("consul.sock");
    let fake = Fake::on_socket(&path, |_| ok());
    let mut consul = consul(path.to_str().unwrap());
    consul.scheme = ConsulScheme::Unix;
    let client = Client::new(&consul).unwrap();
    assert!(!client.needs_threads());
    assert_eq!(deregister(&client).await, Ok(()));
    assert_eq!(fake.lines(), ["PUT /v1/agent/service/deregister/web-x"]);
    std::fs::remove_file(&path).unwrap();
    consul.address = format!("{}.gone", consul.address);
    let error = deregister(&Client::new(&consul).unwrap()).await.unwrap_err().to_string();
    assert!(error.contains("consul.sock.gone") && error.contains("No such file"), "{error}");
}

#[tokio::test]
async fn ipv6_and_localhost_are_spoken_to() {
    let fake = Fake::on("[::1]:0", |_| ok()).await;
    assert_eq!(deregister(&Client::new(&fake.consul()).unwrap()).await, Ok(()));
    assert!(fake.address.to_string().starts_with("[::1]:"));
    // Nobody listens at 127.0.0.1 there, so the other address of localhost is tried.
    let client = Client::new(&consul(&format!("localhost:{}", fake.address.port()))).unwrap();
    assert_eq!(deregister(&client).await, Ok(()));
    assert!(!client.needs_threads());
}

#[tokio::test]
async fn an_odd_id_stays_one_segment() {
    let fake = Fake::start(|_| ok()).await;
    let client = Client::new(&fake.consul()).unwrap();
    client.deregister("web-a/b?c%d e", LIMIT).await.unwrap();
    assert_eq!(fake.lines(), ["PUT /v1/agent/service/deregister/web-a%2Fb%3Fc%25d%20e"]);
}

#[tokio::test]
async fn a_scheme_nobody_knows_fails_each_request() {
    let mut consul = consul("x");
    consul.scheme = ConsulScheme::Other("httpshttps".to_owned());
    let error = deregister(&Client::new(&consul).unwrap()).await.unwrap_err();
    assert_eq!(error.to_string(), r#"unsupported protocol scheme "httpshttps""#);
}

#[test]
fn a_query_may_take_its_wait_and_a_bit() {
    assert_eq!(Limit::of_query(None).0, Duration::from_secs(5));
    assert_eq!(Limit::of_query(Some(Wait { index: 1, seconds: 160 })).0, Duration::from_secs(175));
}
