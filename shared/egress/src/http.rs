//! The `Http` port: requests of tenants, each on the way that its registration asks for.
//!
//! Promise: one try, no redirect, no proxy but the registration's own; connections are kept and used again. Left to
//! others: judging addresses ([`crate::resolve`]), naming failures ([`crate::failure`]).

use std::{
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use async_trait::async_trait;
use bellhop_core::{
    Reason,
    channel::{Outgoing, Reply},
    ports::{Http, TransportError},
};
use reqwest::{Certificate, Client, Response, StatusCode, redirect, retry};
use url::Url;

use crate::{
    Guard, Settings, SettingsError,
    failure::{Via, explain, invalid, unsent},
    proxy::Proxy,
    request,
    resolve::{Lookup, NoAddress, Resolver, System},
};

/// How much of an answer is read.
const MOST_BODY: usize = 256 * 1024;

/// How many proxies keep a client, and with it their connections.
const MOST_PROXIES: usize = 64;

/// Shorter than most servers keep an idle connection: writing into one that they have just closed is a send whose outcome
/// nobody knows.
const IDLE: Duration = Duration::from_secs(30);

/// Who we are.
pub(crate) const USER_AGENT: &str = concat!("Bellhop/", env!("CARGO_PKG_VERSION"));

/// The way out for HTTP.
pub struct HttpEgress {
    resolver: Resolver,
    extra_ca: Vec<Certificate>,
    connect_timeout: Duration,
    total_timeout: Duration,
    direct: Client,
    /// By proxy URL, the latest used last.
    proxied: Mutex<Vec<(String, Client)>>,
}

impl HttpEgress {
    /// Reads the system's certificates.
    pub fn new(settings: Settings) -> Result<Self, SettingsError> {
        Self::with_lookup(settings, Box::new(System))
    }

    fn with_lookup(settings: Settings, lookup: Box<dyn Lookup>) -> Result<Self, SettingsError> {
        let Settings { allow_private, resolve, extra_ca, connect_timeout, total_timeout } = settings;
        let resolver = Resolver::new(Guard::new(allow_private), resolve, lookup);
        let extra_ca = certificates(&extra_ca)?;
        let direct = client(&resolver, &extra_ca, connect_timeout, total_timeout, None);
        let direct = direct.map_err(|error| SettingsError::Client(innermost(&error)))?;
        Ok(Self { resolver, extra_ca, connect_timeout, total_timeout, direct, proxied: Mutex::default() })
    }

    /// Refuses hosts that may not be reached, as far as the client would not ask the resolver about them.
    async fn judge(&self, target: &Url, proxy: Option<&Proxy>) -> Result<(), TransportError> {
        let host = target.host_str().unwrap_or_default();
        self.resolver.judge_literal(host)?;
        let Some(proxy) = proxy else { return Ok(()) };
        // The proxy will look the name up for itself, but what cannot be judged here is not sent.
        let both = async {
            self.resolver.addresses(&proxy.host).await?;
            self.resolver.addresses(host).await
        };
        let judged = tokio::time::timeout(self.connect_timeout, both).await.unwrap_or(Err(NoAddress::Unknown));
        judged.map(drop).map_err(TransportError::from)
    }

    fn client_for(&self, proxy: Option<&Proxy>) -> Result<Client, TransportError> {
        let Some(proxy) = proxy else { return Ok(self.direct.clone()) };
        if let Some(client) = self.take_proxied(&proxy.url) {
            return Ok(client);
        }
        let unusable = |_| invalid("the proxy's URL cannot be used");
        let through = reqwest::Proxy::all(&proxy.url).map_err(unusable)?;
        let client = client(&self.resolver, &self.extra_ca, self.connect_timeout, self.total_timeout, Some(through));
        let client = client.map_err(unusable)?;
        let mut proxied = self.proxied();
        if proxied.len() >= MOST_PROXIES {
            proxied.remove(0);
        }
        proxied.push((proxy.url.clone(), client.clone()));
        Ok(client)
    }

    fn take_proxied(&self, url: &str) -> Option<Client> {
        let mut proxied = self.proxied();
        let at = proxied.iter().position(|(known, _)| known == url)?;
        let entry = proxied.remove(at);
        let client = entry.1.clone();
        proxied.push(entry);
        Some(client)
    }

    fn proxied(&self) -> MutexGuard<'_, Vec<(String, Client)>> {
        self.proxied.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl Http for HttpEgress {
    async fn call(&self, outgoing: &Outgoing) -> Result<Reply, TransportError> {
        let request = request::build(outgoing)?;
        let proxy = outgoing.proxy.as_deref().map(Proxy::parse).transpose()?;
        self.judge(request.url(), proxy.as_ref()).await?;
        let client = self.client_for(proxy.as_ref())?;
        let via = if proxy.is_some() { Via::Proxy } else { Via::Direct };
        let forwarded = proxy.is_some_and(|proxy| proxy.forwards(request.url()));
        let response = client.execute(request).await.map_err(|error| explain(&error, via))?;
        // <https://www.rfc-editor.org/rfc/rfc9110#status.407>: the proxy's own word, the target has seen nothing.
        if forwarded && response.status() == StatusCode::PROXY_AUTHENTICATION_REQUIRED {
            return Err(unsent(Reason::ProxyFailed, "the proxy refuses the credentials"));
        }
        read(response).await.map_err(|error| explain(&error, via))
    }
}

/// Those that are text.
pub(crate) fn headers_of(response: &Response) -> Vec<(String, String)> {
    let headers = response.headers().iter();
    headers.filter_map(|(name, value)| Some((name.to_string(), str::from_utf8(value.as_bytes()).ok()?.to_owned()))).collect()
}

async fn read(mut response: Response) -> Result<Reply, reqwest::Error> {
    let (status, headers) = (response.status().as_u16(), headers_of(&response));
    let mut body = Vec::new();
    while body.len() < MOST_BODY
        && let Some(chunk) = response.chunk().await?
    {
        body.extend_from_slice(&chunk);
    }
    body.truncate(MOST_BODY);
    Ok(Reply { status, headers, body })
}

#[expect(clippy::disallowed_methods, reason = "this is where clients are built")]
fn client(
    resolver: &Resolver,
    extra_ca: &[Certificate],
    connect_timeout: Duration,
    total_timeout: Duration,
    proxy: Option<reqwest::Proxy>,
) -> Result<Client, reqwest::Error> {
    // `no_proxy` forgets the environment's proxies, and any set before it.
    let builder = Client::builder().no_proxy();
    let builder = if let Some(proxy) = proxy { builder.proxy(proxy) } else { builder };
    builder
        .dns_resolver(resolver.clone())
        .tls_certs_merge(extra_ca.iter().cloned())
        .user_agent(USER_AGENT)
        .redirect(redirect::Policy::none())
        .referer(false)
        .retry(retry::never())
        .connect_timeout(connect_timeout)
        .timeout(total_timeout)
        .pool_idle_timeout(IDLE)
        .build()
}

fn certificates(files: &[Vec<u8>]) -> Result<Vec<Certificate>, SettingsError> {
    let mut all = Vec::new();
    for (number, file) in (1..).zip(files) {
        let found = Certificate::from_pem_bundle(file).unwrap_or_default();
        if found.is_empty() {
            return Err(SettingsError::Certificate { number });
        }
        all.extend(found);
    }
    Ok(all)
}

/// What is at the bottom of an error; nothing of a tenant's is in it when a client is built.
pub(crate) fn innermost(error: &reqwest::Error) -> String {
    let mut cause: &dyn std::error::Error = error;
    while let Some(source) = cause.source() {
        cause = source;
    }
    cause.to_string()
}

#[cfg(test)]
mod tests {
    use std::{
        io,
        net::{IpAddr, Ipv4Addr, SocketAddr},
        sync::{
            Arc,
            atomic::{AtomicUsize, Ordering},
        },
    };

    use bellhop_core::{
        channel::{Body, Method},
        ports::Sent,
    };
    use tokio::{
        io::{AsyncReadExt, AsyncWriteExt},
        net::TcpListener,
    };

    use super::*;

    const ALLOWED: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);
    const DENIED: IpAddr = IpAddr::V4(Ipv4Addr::new(127, 0, 0, 2));

    /// Answers once what is allowed, and from then on what is not.
    #[derive(Clone, Default)]
    struct Rebinding(Arc<AtomicUsize>);

    #[async_trait]
    impl Lookup for Rebinding {
        async fn lookup(&self, _name: &str) -> io::Result<Vec<IpAddr>> {
            let before = self.0.fetch_add(1, Ordering::SeqCst);
            Ok(vec![if before == 0 { ALLOWED } else { DENIED }])
        }
    }

    /// Never answers.
    struct Stuck;

    #[async_trait]
    impl Lookup for Stuck {
        async fn lookup(&self, _name: &str) -> io::Result<Vec<IpAddr>> {
            std::future::pending().await
        }
    }

    fn settings() -> Settings {
        Settings { allow_private: vec!["127.0.0.1".parse().unwrap()], ..Settings::default() }
    }

    fn get(url: String) -> Outgoing {
        Outgoing { method: Method::Get, url, headers: Vec::new(), body: Body::Empty, proxy: None }
    }

    /// A server on the port at both addresses that answers with its own address and closes.
    async fn listen_at_both() -> u16 {
        let allowed = TcpListener::bind((ALLOWED, 0)).await.unwrap();
        let port = allowed.local_addr().unwrap().port();
        let denied = TcpListener::bind((DENIED, port)).await.unwrap();
        for listener in [allowed, denied] {
            tokio::spawn(async move {
                while let Ok((mut stream, _)) = listener.accept().await {
                    let ip = stream.local_addr().unwrap().ip();
                    let answer = format!("HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 9\r\n\r\n{ip}");
                    let mut request = [0; 1024];
                    assert_ne!(stream.read(&mut request).await.unwrap(), 0);
                    stream.write_all(answer.as_bytes()).await.unwrap();
                }
            });
        }
        port
    }

    #[tokio::test]
    async fn what_is_dialled_is_what_was_judged_even_if_the_name_answers_differently_later() {
        let port = listen_at_both().await;
        let lookup = Rebinding::default();
        let egress = HttpEgress::with_lookup(settings(), Box::new(lookup.clone())).unwrap();
        let first = egress.call(&get(format!("http://rebind.example:{port}/"))).await.unwrap();
        assert_eq!((first.body.as_slice(), lookup.0.load(Ordering::SeqCst)), (b"127.0.0.1".as_slice(), 1));
        let second = egress.call(&get(format!("http://rebind.example:{port}/"))).await.unwrap_err();
        assert_eq!(second.reason, Reason::BlockedAddress);
    }

    #[tokio::test]
    async fn a_target_that_rebinds_behind_a_socks5_proxy_is_blocked() {
        let proxy = TcpListener::bind((ALLOWED, 0)).await.unwrap();
        let proxy = format!("socks5://{}", proxy.local_addr().unwrap());
        let egress = HttpEgress::with_lookup(settings(), Box::new(Rebinding::default())).unwrap();
        let error = egress.call(&Outgoing { proxy: Some(proxy), ..get("http://rebind.example/".to_owned()) }).await.unwrap_err();
        assert_eq!((error.reason, error.sent), (Reason::BlockedAddress, Sent::No));
    }

    #[tokio::test]
    async fn a_lookup_without_end_is_a_connection_that_failed() {
        let settings = Settings { connect_timeout: Duration::from_millis(100), ..settings() };
        let egress = HttpEgress::with_lookup(settings, Box::new(Stuck)).unwrap();
        let direct = egress.call(&get("http://stuck.example/".to_owned())).await.unwrap_err();
        assert_eq!((direct.reason, direct.sent), (Reason::ConnectFailed, Sent::No));
        let proxy = Some(format!("http://{}", SocketAddr::new(ALLOWED, 9)));
        let proxied = egress.call(&Outgoing { proxy, ..get("http://stuck.example/".to_owned()) }).await.unwrap_err();
        assert_eq!((proxied.reason, proxied.sent), (Reason::DnsFailed, Sent::No));
    }

    #[tokio::test]
    async fn only_the_latest_used_proxies_keep_a_client() {
        let egress = HttpEgress::new(settings()).unwrap();
        let proxy = |n: usize| Proxy::parse(&format!("http://user{n}:pw@proxy.example")).unwrap();
        for n in 0..=MOST_PROXIES {
            egress.client_for(Some(&proxy(n))).unwrap();
            egress.client_for(Some(&proxy(0))).unwrap();
        }
        let kept: Vec<_> = egress.proxied().iter().map(|(url, _)| url.clone()).collect();
        assert_eq!(kept.len(), MOST_PROXIES);
        assert!(kept.contains(&proxy(0).url), "it is in use");
        assert!(!kept.contains(&proxy(1).url), "it is the one that was not used for longest");
    }
}
