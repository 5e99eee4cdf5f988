//! nginx and Go's reverse proxy, where they are installed.

use std::fs;
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use super::Server;

/// One worker, as many bytes in memory as it takes, and connections to the backend that are kept.
const NGINX: &str = "
daemon off; master_process off; pid DIR/pid; error_log stderr crit;
events { worker_connections 256; }
http {
    access_log off;
    client_body_temp_path DIR/body; proxy_temp_path DIR/proxy; fastcgi_temp_path DIR/fastcgi;
    uwsgi_temp_path DIR/uwsgi; scgi_temp_path DIR/scgi;
    keepalive_requests 1000000;
    upstream backend { server 127.0.0.1:BACKEND; keepalive 16; keepalive_requests 1000000; }
    server {
        listen 127.0.0.1:PORT;
        location / {
            proxy_pass http://backend;
            proxy_http_version 1.1;
            proxy_set_header Connection \"\";
            proxy_set_header Host $http_host;
            proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
            proxy_max_temp_file_size 0;
        }
    }
}
";

const GO: &str = r#"
package main

import (
	"fmt"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"os"
)

func main() {
	target, err := url.Parse(os.Args[1])
	if err != nil {
		panic(err)
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		panic(err)
	}
	fmt.Printf("http://%s/\n", listener.Addr())
	panic(http.Serve(listener, httputil.NewSingleHostReverseProxy(target)))
}
"#;

pub(crate) fn nginx(dir: &Path, backend: u16) -> Option<Server> {
    let dir = dir.join("nginx");
    fs::create_dir(&dir).unwrap();
    // Nginx cannot choose a port itself. Another program could take this one in between.
    let free = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let port = free.local_addr().unwrap().port();
    drop(free);
    let config = NGINX
        .replace("DIR", &dir.display().to_string())
        .replace("BACKEND", &backend.to_string())
        .replace("PORT", &port.to_string());
    let path = dir.join("nginx.conf");
    fs::write(&path, config).unwrap();
    if !is_installed(Command::new("nginx").arg("-v")) {
        println!("nginx is not installed\n");
        return None;
    }
    let mut command = Command::new("sh");
    let script = format!("echo http://127.0.0.1:{port}/; exec nginx -c \"$0\" -p \"$1\"");
    command.args(["-c", &script]).args([&path, &dir]);
    let server = Server::start("nginx", &mut command);
    let deadline = Instant::now() + Duration::from_secs(10);
    while TcpStream::connect(("127.0.0.1", port)).is_err() {
        assert!(Instant::now() < deadline, "nginx does not listen");
        std::thread::sleep(Duration::from_millis(10));
    }
    Some(server)
}

pub(crate) fn go(dir: &Path, backend: u16) -> Option<Server> {
    if !is_installed(Command::new("go").arg("version")) {
        println!("Go is not installed\n");
        return None;
    }
    let source = dir.join("proxy.go");
    fs::write(&source, GO).unwrap();
    let program = dir.join("go-proxy");
    let mut build = Command::new("go");
    build
        .args(["build", "-o"])
        .args([&program, &source])
        .env("GOCACHE", dir.join("go-cache"))
        .env("GO111MODULE", "off");
    assert!(build.status().unwrap().success(), "go build failed");
    let url = format!("http://127.0.0.1:{backend}");
    Some(Server::start("go", Command::new(program).arg(url)))
}

fn is_installed(command: &mut Command) -> bool {
    let status = command.stdout(Stdio::null()).stderr(Stdio::null()).status();
    status.is_ok_and(|status| status.success())
}
