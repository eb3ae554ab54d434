//! Servers for the tests: a real one, and some that are not.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread;

/// A server in a process of its own; killed with the test.
pub(crate) struct TestServer {
    child: Child,
    pub(crate) url: String,
}

impl TestServer {
    /// The example `pond`, which cargo builds beside the program.
    pub(crate) fn start() -> TestServer {
        let program = Path::new(env!("CARGO_BIN_EXE_client-sim"));
        let pond = program.parent().unwrap().join("examples").join("pond");
        let mut command = Command::new(pond);
        command.args(["--listen", "127.0.0.1:0", "--workers", "1", "--log-level", "error"]);
        let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn().unwrap();
        let said = wait_until(child.stdout.as_mut().unwrap(), |line| line.contains("http://"));
        let url = said.split_whitespace().last().unwrap().to_owned();
        TestServer { child, url }
    }

    /// Ends it without a goodbye.
    pub(crate) fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

impl Drop for TestServer {
    fn drop(&mut self) {
        // It has ended where the test killed it.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Reads byte by byte, so that nothing of what follows is lost, until a line is as it
/// should be.
pub(crate) fn wait_until(from: &mut impl Read, wanted: impl Fn(&str) -> bool) -> String {
    let (mut line, mut byte) = (Vec::new(), [0]);
    while from.read(&mut byte).unwrap() == 1 {
        if byte[0] != b'\n' {
            line.push(byte[0]);
            continue;
        }
        let text = String::from_utf8_lossy(&line).into_owned();
        if wanted(&text) {
            return text;
        }
        line.clear();
    }
    panic!("the program ended before it said what was waited for");
}

/// An HTTP server that knows nothing.
pub(crate) struct Stranger {
    pub(crate) url: String,
}

impl Stranger {
    pub(crate) fn start() -> Stranger {
        let url = listen(|mut stream| {
            let mut request = [0; 4096];
            if stream.read(&mut request).is_ok() {
                let answer = "HTTP/1.1 404 Not Found\r\nContent-Length: 2\r\n\r\nno";
                // Who asked may be gone.
                let _ = stream.write_all(answer.as_bytes());
            }
        });
        Stranger { url }
    }
}

/// A listener that accepts and says nothing.
pub(crate) struct Silent {
    pub(crate) url: String,
}

impl Silent {
    pub(crate) fn start() -> Silent {
        let url = listen(|mut stream| {
            let mut rest = Vec::new();
            // Until the other side has had enough.
            let _ = stream.read_to_end(&mut rest);
        });
        Silent { url }
    }
}

/// Serves each connection on a thread, for as long as the test runs.
fn listen(serve: impl Fn(TcpStream) + Send + Sync + Copy + 'static) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            thread::spawn(move || serve(stream));
        }
    });
    url
}

/// A port that nobody listens on.
pub(crate) fn closed_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}
