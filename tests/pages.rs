//! The web pages over HTTP: what they are made of, what they may do, and how they are kept.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod play;
mod wire;

use std::fs;

use play::*;
use serde_json::{Value as Json, json};
use tickwire::config::Config;
use tickwire::pages::Pages;

const PERSON: &str = "Accept: text/html,*/*\r\n";

/// The value of a header, once and in lowercase as it is sent.
fn header<'a>(head: &'a str, name: &str) -> Option<&'a str> {
    let mut values = head.split("\r\n").filter_map(|line| line.split_once(": "));
    values.find_map(|(key, value)| (key == name).then_some(value))
}

/// What a page loads: the values of `src` and `href` that are of its own server.
fn loaded(page: &str) -> Vec<&str> {
    let after = |mark| page.split(mark).skip(1).map(|rest| rest.split('"').next().unwrap());
    let all = after("src=\"").chain(after("href=\""));
    all.filter(|path| path.starts_with('/') && !path.ends_with('/')).collect()
}

#[tokio::test]
async fn pages_come_with_all_that_they_load_and_nothing_is_written_in_them() {
    let server = Running::start(config()).await;
    for path in ["/", "/arena/", "/nowhere"] {
        let (status, head, page) = server.request("GET", path, PERSON, "").await;
        assert_eq!(status, if path == "/nowhere" { 404 } else { 200 }, "{path}");
        assert_eq!(header(&head, "content-type"), Some("text/html; charset=utf-8"));
        for inline in ["<style", " style=", "<script>", "javascript:", " onclick="] {
            assert!(!page.contains(inline), "{path} has {inline}");
        }
        let loaded = loaded(&page);
        assert!(loaded.iter().any(|path| path.ends_with(".css")), "{path}: {loaded:?}");
        for path in loaded {
            let (status, head, body) = server.request("GET", path, "", "").await;
            let kind = match path.rsplit_once('.').unwrap().1 {
                "css" => "text/css; charset=utf-8",
                "js" => "text/javascript; charset=utf-8",
                "svg" => "image/svg+xml",
                other => panic!("{path} is {other}"),
            };
            assert_eq!((status, header(&head, "content-type")), (200, Some(kind)), "{path}");
            assert_eq!(header(&head, "x-content-type-options"), Some("nosniff"));
            assert!(!body.is_empty(), "{path}");
        }
    }
    server.stop().await;
}

#[tokio::test]
async fn a_page_may_only_load_from_its_server_and_connect_to_it() {
    let server = Running::start(config()).await;
    let (_, head, _) = server.request("GET", "/", "", "").await;
    let policy = header(&head, "content-security-policy").unwrap();
    for part in [
        "default-src 'none';",
        "script-src 'self';",
        "style-src 'self';",
        "frame-ancestors 'none';",
        "require-trusted-types-for 'script';",
    ] {
        assert!(policy.contains(part), "{policy}");
    }
    assert!(policy.ends_with("connect-src 'self'"), "{policy}");
    assert!(!policy.contains("unsafe"), "{policy}");
    assert_eq!(header(&head, "referrer-policy"), Some("no-referrer"));

    let url = Some("https://play.example".to_owned());
    let behind = Running::start(Config { public_url: url, ..config() }).await;
    let (_, head, _) = behind.request("GET", "/", "", "").await;
    let policy = header(&head, "content-security-policy").unwrap();
    assert!(policy.ends_with("connect-src 'self' wss://play.example"), "{policy}");
    server.stop().await;
    behind.stop().await;
}

#[tokio::test]
async fn a_client_that_has_a_file_is_not_sent_it_again() {
    let server = Running::start(config()).await;
    let (_, head, body) = server.request("GET", "/style.css", "", "").await;
    let etag = header(&head, "etag").unwrap().to_owned();
    assert_eq!(header(&head, "cache-control"), Some("no-cache"));
    for has in [etag.clone(), format!("W/{etag}"), format!("\"other\", {etag}"), "*".to_owned()] {
        let has = format!("If-None-Match: {has}\r\n");
        let (status, head, body) = server.request("GET", "/style.css", &has, "").await;
        assert_eq!((status, &*body), (304, ""), "{has}");
        assert_eq!(header(&head, "etag"), Some(&*etag), "{has}");
    }
    // A browser puts the headers of a 304 to the page that it has: they must be the page's.
    let (_, full, _) = server.request("GET", "/", "", "").await;
    let has = format!("If-None-Match: {}\r\n", header(&full, "etag").unwrap());
    let (status, head, _) = server.request("GET", "/", &has, "").await;
    assert_eq!(status, 304);
    for name in ["content-security-policy", "content-type", "referrer-policy", "cache-control"] {
        assert!(header(&full, name).is_some(), "{name}");
        assert_eq!(header(&head, name), header(&full, name), "{name}");
    }
    let (status, _, again) =
        server.request("GET", "/style.css", "If-None-Match: \"other\"\r\n", "").await;
    assert_eq!((status, again), (200, body));
    server.stop().await;
}

#[tokio::test]
async fn pages_are_only_read() {
    let server = Running::start(config()).await;
    let (_, full, body) = server.request("GET", "/style.css", "", "").await;
    let (status, head, nothing) = server.request("HEAD", "/style.css", "", "").await;
    assert_eq!((status, &*nothing), (200, ""));
    let length = body.len().to_string();
    assert_eq!(header(&head, "content-length"), Some(&*length));
    assert_eq!(header(&head, "etag"), header(&full, "etag"));
    for method in ["POST", "PUT", "DELETE", "PATCH"] {
        let (status, head, _) = server.request(method, "/style.css", "", "").await;
        assert_eq!((status, header(&head, "allow")), (405, Some("GET,HEAD")), "{method}");
    }
    server.stop().await;
}

#[tokio::test]
async fn nothing_but_the_files_can_be_reached() {
    let server = Running::start(config()).await;
    for path in [
        "/../Cargo.toml",
        "/%2e%2e/Cargo.toml",
        "/..%2fCargo.toml",
        "//style.css",
        "/style.css/",
        "/arena/index.html/",
        "/ARENA/",
    ] {
        let (status, _, body) = server.request("GET", path, "", "").await;
        let body: Json = serde_json::from_str(&body).unwrap();
        assert_eq!((status, &body["code"]), (404, &json!("not_found")), "{path}");
    }
    let (status, head, _) = server.request("GET", "/arena", "", "").await;
    assert_eq!((status, header(&head, "location")), (308, Some("/arena/")));
    // A call that does not exist is answered for programs, whoever asks.
    let (status, _, body) = server.request("GET", "/api/nope", PERSON, "").await;
    assert_eq!((status, body.starts_with('{')), (404, true));
    server.stop().await;
}

#[tokio::test]
async fn a_game_of_ones_own_has_a_page_of_its_own() {
    let folder = own_folder();
    fs::create_dir_all(folder.join("art")).unwrap();
    fs::write(folder.join("index.html"), "<!doctype html><title>Tally</title>").unwrap();
    fs::write(folder.join("art/mark.svg"), "<svg/>").unwrap();
    fs::write(folder.join(".secret"), "no").unwrap();
    let pages = Pages::default().folder("tally", &folder).unwrap();
    let pages = pages.file("tally/more.js", "export {};");
    fs::remove_dir_all(&folder).unwrap();
    let server = Running::start_with(config(), pages).await;
    let (_, games) = server.get("/api/games").await;
    assert_eq!(games["games"][0]["page"], "/tally/");
    for (path, expected, kind) in [
        ("/tally/", 200, "text/html; charset=utf-8"),
        ("/tally/art/mark.svg", 200, "image/svg+xml"),
        ("/tally/more.js", 200, "text/javascript; charset=utf-8"),
        ("/tally/.secret", 404, "application/json"),
    ] {
        let (status, head, _) = server.request("GET", path, "", "").await;
        assert_eq!((status, header(&head, "content-type")), (expected, Some(kind)), "{path}");
    }
    server.stop().await;
}

#[tokio::test]
async fn a_server_can_do_without_pages() {
    let server = Running::start_with(config(), Pages::none()).await;
    for path in ["/", "/style.css", "/arena/"] {
        let (status, _, body) = server.request("GET", path, PERSON, "").await;
        assert_eq!((status, body.starts_with('{')), (404, true), "{path}");
    }
    let (_, games) = server.get("/api/games").await;
    assert_eq!(games["games"][0]["page"], json!(null));
    assert_eq!(server.join(json!({"game": "tally"})).await.0, 200);
    server.stop().await;
}

/// A folder that nobody else has.
fn own_folder() -> std::path::PathBuf {
    let name = format!("tickwire-pages-{}", std::process::id());
    std::env::temp_dir().join(name)
}
