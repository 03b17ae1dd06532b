//! Starting and stopping.

use std::{
    fmt, io,
    net::SocketAddr,
    path::PathBuf,
    sync::{
        Arc, Mutex, MutexGuard,
        atomic::{AtomicI64, Ordering},
    },
    time::Duration,
};

use axum::Router;
use jiff::SignedDuration;
use tokio::{net::TcpListener, task::JoinHandle};
use tokio_util::sync::CancellationToken;

use super::{
    Calls, EmulatorOptions, Faults, Journal, Store,
    connection::{Cut, CuttableListener},
    file,
    service::{Shared, handle},
};

/// How long a stopping emulator waits for the requests it is busy with before it cuts their connections.
const GRACE: Duration = Duration::from_secs(2);

/// Why the emulator did not start.
#[derive(Debug, thiserror::Error)]
pub enum EmulatorError {
    /// Anybody who reaches the emulator can read all private keys.
    #[error(
        "{0} is reachable from other hosts, and the emulator gives private keys to everybody: listen on 127.0.0.1, or say --allow-non-loopback"
    )]
    NotLoopback(SocketAddr),
    /// The address is taken or not one of this host.
    #[error("cannot listen on {address}")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// What the system says.
        source: io::Error,
    },
    /// The file is there but cannot be used.
    #[error("cannot read {}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        source: io::Error,
    },
}

/// A running emulator. It stops when it is dropped.
pub struct Emulator {
    shared: Arc<Shared>,
    address: SocketAddr,
    running: Option<Running>,
}

impl fmt::Debug for Emulator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Emulator").field("url", &self.url()).field("running", &self.running.is_some()).finish_non_exhaustive()
    }
}

struct Running {
    stop: CancellationToken,
    cut: CancellationToken,
    task: JoinHandle<io::Result<()>>,
}

impl Emulator {
    /// Starts with what the file of `options` holds, or empty. With port 0 it takes a free one: see [`Emulator::url`].
    ///
    /// # Errors
    /// [`EmulatorError`] if the address is not allowed or not free, or if the file cannot be read.
    pub async fn start(options: EmulatorOptions) -> Result<Self, EmulatorError> {
        Self::start_with(Store::default(), options).await
    }

    /// Starts with `store`, to which the file of `options` is added.
    ///
    /// # Errors
    /// As [`Emulator::start`].
    pub async fn start_with(mut store: Store, options: EmulatorOptions) -> Result<Self, EmulatorError> {
        if !options.listen.ip().is_loopback() && !options.allow_non_loopback {
            return Err(EmulatorError::NotLoopback(options.listen));
        }
        if let Some(path) = &options.file {
            file::load(path, &mut store).map_err(|source| EmulatorError::File { path: path.clone(), source })?;
        }
        let (listener, address) = listen(options.listen).await?;
        let shared = Arc::new(Shared {
            store: Mutex::new(store),
            file: options.file,
            broadcast: options.broadcast,
            url: format!("http://{address}"),
            faults: Faults::default(),
            calls: Calls::default(),
            journal: Journal::default(),
            clock_offset: AtomicI64::new(0),
        });
        let running = Some(Running::start(listener, Arc::clone(&shared)));
        Ok(Self { shared, address, running })
    }

    /// Where it listens: `http://address:port`, without a slash at the end.
    pub fn url(&self) -> &str {
        &self.shared.url
    }

    /// Its content, to look at and to change behind the back of its clients. No request is answered while the guard lives. Changes made here reach
    /// the file with the next change by a request.
    pub fn store(&self) -> MutexGuard<'_, Store> {
        self.shared.lock()
    }

    /// The trouble it makes.
    pub fn faults(&self) -> &Faults {
        &self.shared.faults
    }

    /// What writes do to sets, once it is opened.
    pub fn journal(&self) -> &Journal {
        &self.shared.journal
    }

    /// The calls it got.
    pub fn calls(&self) -> &Calls {
        &self.shared.calls
    }

    /// Lets the `Date` of all answers be so far ahead of the real time, or behind it if negative. Whole seconds count.
    pub fn set_clock_offset(&self, offset: SignedDuration) {
        self.shared.clock_offset.store(offset.as_secs(), Ordering::Relaxed);
    }

    /// Stops listening. Requests under way have two seconds to finish, then their connections are cut. Content, faults and calls stay.
    pub async fn stop(&mut self) {
        if let Some(running) = self.running.take() {
            running.end().await;
        }
    }

    /// Listens again on the same address after [`Emulator::stop`]; does nothing if it never stopped.
    ///
    /// # Errors
    /// [`EmulatorError::Listen`] if somebody else has taken the address.
    pub async fn resume(&mut self) -> Result<(), EmulatorError> {
        if self.running.is_none() {
            let (listener, _) = listen(self.address).await?;
            self.running = Some(Running::start(listener, Arc::clone(&self.shared)));
        }
        Ok(())
    }
}

impl Running {
    fn start(listener: TcpListener, shared: Arc<Shared>) -> Self {
        let (stop, cut) = (CancellationToken::new(), CancellationToken::new());
        let listener = CuttableListener { listener, all: cut.clone() };
        let service = Router::new().fallback(handle).with_state(shared).into_make_service_with_connect_info::<Cut>();
        let server = axum::serve(listener, service).with_graceful_shutdown(stop.clone().cancelled_owned());
        Self { task: tokio::spawn(server.into_future()), stop, cut }
    }

    async fn end(mut self) {
        self.stop.cancel();
        if tokio::time::timeout(GRACE, &mut self.task).await.is_err() {
            self.cut.cancel();
            self.task.abort();
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.stop.cancel();
        self.cut.cancel();
    }
}

async fn listen(address: SocketAddr) -> Result<(TcpListener, SocketAddr), EmulatorError> {
    let listening = async {
        let listener = TcpListener::bind(address).await?;
        let address = listener.local_addr()?;
        Ok((listener, address))
    };
    listening.await.map_err(|source| EmulatorError::Listen { address, source })
}

/// Runs the emulator until `shutdown` is done: the command of the same name.
///
/// # Errors
/// As [`Emulator::start`].
pub async fn run(options: EmulatorOptions, shutdown: impl Future) -> Result<(), EmulatorError> {
    let mut emulator = Emulator::start(options).await?;
    tracing::info!(url = emulator.url(), "emulating the admin API; everybody who can reach it can read private keys");
    shutdown.await;
    emulator.stop().await;
    Ok(())
}
