//! Building a request and sending it.

use super::ResponseExt;
use crate::{BoxError, Error, RequestTimeout};
use bytes::Bytes;
use http::{
    HeaderName, HeaderValue, Method, Request, Response, Uri,
    header::{AUTHORIZATION, CONTENT_TYPE},
};
use http_body::Body;
use http_body_util::Full;
use serde::{Serialize, de::DeserializeOwned};
use std::{fmt, future::poll_fn, time::Duration};
use tower_service::Service;

/// Gives an HTTP service the methods of an HTTP client.
///
/// It is implemented for every service that takes a `Request<Full<Bytes>>` and answers with a `Response`, so a generic
/// function can ask for `C: FetchExt` and nothing more.
///
/// # Example
///
/// ```
/// # use bytes::Bytes;
/// # use http::{Request, Response};
/// # use http_body_util::Full;
/// use tower_egress::FetchExt;
///
/// # async fn example() -> Result<(), tower_egress::Error> {
/// let client = tower::service_fn(|request: Request<Full<Bytes>>| async move {
///     let path = format!("{:?}", request.uri().path());
///     Ok::<_, std::io::Error>(Response::new(Full::<Bytes>::from(path)))
/// });
/// let path: String = client.get("https://api.example.com/a?b=c").json().await?;
/// assert_eq!(path, "/a");
/// # Ok(())
/// # }
/// # tokio_test::block_on(example()).unwrap();
/// ```
pub trait FetchExt:
    Service<Request<Full<Bytes>>, Response = Response<Self::ResponseBody>, Error: Into<BoxError>>
    + Clone
{
    /// The body of its responses.
    type ResponseBody: Body<Error: Into<BoxError>>;

    /// Starts a `GET`.
    fn get(&self, uri: impl TryInto<Uri, Error: Into<http::Error>>) -> RequestBuilder<Self> {
        self.request(Method::GET, uri)
    }

    /// Starts a `HEAD`.
    fn head(&self, uri: impl TryInto<Uri, Error: Into<http::Error>>) -> RequestBuilder<Self> {
        self.request(Method::HEAD, uri)
    }

    /// Starts a `POST`. It is sent again after a failure only if it carries an `Idempotency-Key`, or was
    /// certainly not received.
    fn post(&self, uri: impl TryInto<Uri, Error: Into<http::Error>>) -> RequestBuilder<Self> {
        self.request(Method::POST, uri)
    }

    /// Starts a `PUT`.
    fn put(&self, uri: impl TryInto<Uri, Error: Into<http::Error>>) -> RequestBuilder<Self> {
        self.request(Method::PUT, uri)
    }

    /// Starts a `PATCH`. It is sent again on the same terms as a `POST`.
    fn patch(&self, uri: impl TryInto<Uri, Error: Into<http::Error>>) -> RequestBuilder<Self> {
        self.request(Method::PATCH, uri)
    }

    /// Starts a `DELETE`.
    fn delete(&self, uri: impl TryInto<Uri, Error: Into<http::Error>>) -> RequestBuilder<Self> {
        self.request(Method::DELETE, uri)
    }

    /// Starts a request. A bad URI is reported when it is sent.
    fn request(
        &self,
        method: Method,
        uri: impl TryInto<Uri, Error: Into<http::Error>>,
    ) -> RequestBuilder<Self> {
        let request = uri
            .try_into()
            .map_err(|error| Error::invalid(error.into()))
            .map(|uri| {
                let mut request = Request::new(Full::default());
                *request.method_mut() = method;
                *request.uri_mut() = uri;
                request
            });
        RequestBuilder {
            service: self.clone(),
            request,
        }
    }
}

impl<S, B> FetchExt for S
where
    S: Service<Request<Full<Bytes>>, Response = Response<B>> + Clone,
    S::Error: Into<BoxError>,
    B: Body<Error: Into<BoxError>>,
{
    type ResponseBody = B;
}

/// A request that is being built; see [`FetchExt`].
#[must_use = "nothing is sent until `send`, `json`, `text` or `bytes` is awaited"]
pub struct RequestBuilder<S> {
    service: S,
    request: Result<Request<Full<Bytes>>, Error>,
}

impl<S> RequestBuilder<S> {
    /// Sets a header, in place of any of the same name.
    pub fn header<K, V>(self, name: K, value: V) -> Self
    where
        K: TryInto<HeaderName, Error: Into<http::Error>>,
        V: TryInto<HeaderValue, Error: Into<http::Error>>,
    {
        self.and_then(|request| {
            let name = name.try_into().map_err(Into::into)?;
            let value = value.try_into().map_err(Into::into)?;
            request.headers_mut().insert(name, value);
            Ok(())
        })
    }

    /// Sets the `Authorization` header to this token, marked as sensitive.
    pub fn bearer(self, token: &str) -> Self {
        self.and_then(|request| {
            let mut value = HeaderValue::try_from(format!("Bearer {token}"))?;
            value.set_sensitive(true);
            request.headers_mut().insert(AUTHORIZATION, value);
            Ok(())
        })
    }

    /// Appends parameters to the query, percent-encoded.
    pub fn query(self, parameters: &impl Serialize) -> Self {
        self.and_then(|request| {
            let more = serde_urlencoded::to_string(parameters)?;
            if more.is_empty() {
                return Ok(());
            }
            let mut parts = request.uri().clone().into_parts();
            let old = parts
                .path_and_query
                .as_ref()
                .map_or("/", |old| old.as_str());
            let joint = match old.split_once('?') {
                None => "?",
                Some((_, "")) => "",
                Some(_) => "&",
            };
            parts.path_and_query = Some(format!("{old}{joint}{more}").try_into()?);
            *request.uri_mut() = Uri::from_parts(parts)?;
            Ok(())
        })
    }

    /// Sets the body.
    pub fn body(self, body: impl Into<Bytes>) -> Self {
        self.and_then(|request| {
            *request.body_mut() = Full::new(body.into());
            Ok(())
        })
    }

    /// Sets the body to this value as JSON, and the `Content-Type` with it.
    pub fn json_body(self, value: &impl Serialize) -> Self {
        self.and_then(|request| {
            *request.body_mut() = Full::from(serde_json::to_vec(value)?);
            let json = HeaderValue::from_static("application/json");
            request.headers_mut().insert(CONTENT_TYPE, json);
            Ok(())
        })
    }

    /// Limits the whole request, with its waits, attempts and body, to this time.
    ///
    /// It takes effect where the stack has a deadline layer; an [`Egress`](crate::Egress) has.
    pub fn timeout(self, timeout: Duration) -> Self {
        self.extension(RequestTimeout(timeout))
    }

    /// Puts a value into the request's extensions, for a layer to find.
    pub fn extension<E: Clone + Send + Sync + 'static>(self, extension: E) -> Self {
        self.and_then(|request| {
            request.extensions_mut().insert(extension);
            Ok(())
        })
    }

    /// Returns the request.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::InvalidRequest`](crate::ErrorKind::InvalidRequest): the first thing that was wrong with it.
    pub fn build(self) -> Result<Request<Full<Bytes>>, Error> {
        self.request
    }

    fn and_then(
        mut self,
        change: impl FnOnce(&mut Request<Full<Bytes>>) -> Result<(), BoxError>,
    ) -> Self {
        if let Ok(request) = &mut self.request
            && let Err(error) = change(request)
        {
            let error = Error::invalid(error);
            self.request = Err(error.with_target(request.method(), request.uri()));
        }
        self
    }
}

impl<S: FetchExt> RequestBuilder<S> {
    /// Sends the request and returns the response, whatever its status.
    ///
    /// # Errors
    ///
    /// Any [`ErrorKind`](crate::ErrorKind) but `Status`, `Body` and `Decode`.
    pub async fn send(self) -> Result<Response<S::ResponseBody>, Error> {
        self.fetch(async |response| Ok(response)).await
    }

    /// Sends the request and reads a successful response (2xx) as bytes; any other status is an error, a
    /// redirection too.
    ///
    /// # Errors
    ///
    /// Any [`ErrorKind`](crate::ErrorKind) but `Decode`.
    pub async fn bytes(self) -> Result<Bytes, Error> {
        self.fetch(async |response| response.error_for_status()?.into_bytes().await)
            .await
    }

    /// Sends the request and reads a successful response (2xx) as text; any other status is an error, a
    /// redirection too.
    ///
    /// # Errors
    ///
    /// Any [`ErrorKind`](crate::ErrorKind).
    pub async fn text(self) -> Result<String, Error> {
        self.fetch(async |response| response.error_for_status()?.into_text().await)
            .await
    }

    /// Sends the request and reads a successful response (2xx) as JSON; any other status is an error, a
    /// redirection too.
    ///
    /// # Errors
    ///
    /// Any [`ErrorKind`](crate::ErrorKind).
    pub async fn json<D: DeserializeOwned>(self) -> Result<D, Error> {
        self.fetch(async |response| response.error_for_status()?.into_json().await)
            .await
    }

    async fn fetch<R>(
        self,
        read: impl AsyncFnOnce(Response<S::ResponseBody>) -> Result<R, Error>,
    ) -> Result<R, Error> {
        let Self {
            mut service,
            request,
        } = self;
        let request = request?;
        let (method, uri) = (request.method().clone(), request.uri().clone());
        let result = async {
            let failed = |error: S::Error| Error::of_service(error.into());
            poll_fn(|cx| service.poll_ready(cx)).await.map_err(failed)?;
            let response = service.call(request).await.map_err(failed)?;
            read(response).await
        };
        result
            .await
            .map_err(|error| error.with_target(&method, &uri))
    }
}

impl<S> fmt::Debug for RequestBuilder<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut debug = f.debug_struct("RequestBuilder");
        match &self.request {
            // The query and the headers may hold secrets.
            Ok(request) => debug
                .field("method", request.method())
                .field("host", &request.uri().host())
                .field("path", &request.uri().path()),
            Err(error) => debug.field("error", error),
        };
        debug.finish_non_exhaustive()
    }
}
