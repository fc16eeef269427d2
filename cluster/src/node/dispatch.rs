//! What a node does with each packet.

use std::sync::Arc;
use std::time::Duration;

use super::deliver::Request;
use super::gateway::Gateway;
use super::report::on_report;
use super::served::Served;
use crate::engine::Priority;
use crate::event::NodeEvent;
use crate::identity::{NodeId, NodeName};
use crate::names::{Applied, ViewChange};
use crate::peer::{Link, Lost, Peer};
use crate::stream::Arrival;
use crate::wire::{HEADER_BYTES, Header, Hello, Packet, PacketError, Tags, packets};

impl Gateway {
    /// Processes what has come in one piece: a packet, or several.
    pub(super) fn receive_all(&mut self, from: &NodeId, bytes: &[u8]) {
        for packet in packets(bytes) {
            self.receive(from, packet);
        }
    }

    /// Processes a packet. One that is malformed or of another connection changes nothing.
    fn receive(&mut self, from: &NodeId, packet: &[u8]) {
        let Some(peer) = self.node.peer(&from.name).filter(|peer| peer.id == *from) else { return };
        if packet.len() > self.node.config.max_message.saturating_add(HEADER_BYTES) {
            return;
        }
        let bytes = packet.len();
        let packet = match Packet::decode(packet) {
            Ok(packet) => packet,
            Err(PacketError::Version(version)) => {
                if peer.with(Link::see_other_version) {
                    self.node.publish(NodeEvent::OtherProtocol { node: peer.id.clone(), version });
                }
                return;
            }
            Err(_) => return,
        };
        if let Header::Hello(hello) = packet.header {
            return self.on_hello(&peer, packet.tags, &hello);
        }
        let (lost, went_up, arrival) = peer.with(|link| {
            let transition = link.session.on_packet(packet.tags);
            let lost = link.after(transition);
            let arrival = match (transition.is_admitted, packet.tags.sequence) {
                (false, _) => Arrival::Late,
                (true, 0) => Arrival::Next,
                (true, sequence) => link.incoming.receive(sequence, bytes),
            };
            (lost, transition.went_up, arrival)
        });
        self.on_transition(&peer, lost, went_up);
        match arrival {
            Arrival::Next => self.dispatch(&peer, packet.header, packet.payload),
            Arrival::Late => {}
            Arrival::Gap => self.reconnect(&peer),
        }
    }

    fn on_hello(&mut self, peer: &Arc<Peer>, tags: Tags, hello: &Hello) {
        let (lost, went_up, packets) = peer.with(|link| {
            let transition = link.session.on_hello(tags, hello.wants_answer);
            let lost = link.after(transition);
            let packets = if transition.is_admitted { link.take_account(hello) } else { 0 };
            (lost, transition.went_up, packets)
        });
        self.on_transition(peer, lost, went_up);
        if packets > 0 {
            self.node.publish(NodeEvent::Lost { node: peer.id.clone(), packets });
        }
    }

    /// Ends a connection that has lost packets, or cannot go on, and asks for another one.
    pub(super) fn reconnect(&mut self, peer: &Arc<Peer>) {
        let lost = peer.with(|link| {
            let lost = link.end();
            link.greet();
            lost
        });
        self.lose(lost, &peer.id);
    }

    fn on_transition(&mut self, peer: &Arc<Peer>, lost: Option<Lost>, went_up: bool) {
        self.lose(lost, &peer.id);
        if went_up {
            self.served.insert(peer.id.clone(), Served::default());
            self.node.publish(NodeEvent::Up(peer.id.clone()));
            self.send_names(peer);
        }
    }

    fn dispatch(&mut self, peer: &Arc<Peer>, header: Header, payload: &[u8]) {
        match header {
            Header::Names(delta) => {
                self.node.clock.lock().observe(delta.bound_at.unwrap_or(0));
                let applied = peer.with(|link| link.names.apply(delta));
                self.on_names(peer, applied);
            }
            Header::Snapshot(part) => {
                let latest = part.names.iter().map(|(_, bound_at)| *bound_at).max();
                self.node.clock.lock().observe(latest.unwrap_or(0));
                let applied = peer.with(|link| link.names.replace(part));
                self.on_names(peer, applied);
            }
            Header::Message { to, tag, version, codec, id, confirm, replies } => {
                let request = Request { to, tag, version, codec, id, confirm, replies };
                self.deliver(peer, request, payload);
            }
            Header::Cancel { id } => {
                if let Some(served) = self.served.get_mut(&peer.id) {
                    served.cancel(id);
                }
            }
            Header::Monitor { id, name } => self.monitor(peer, id, &name),
            Header::Link { id, name } => self.link(peer, id, &name),
            Header::Exit { id, reason } => {
                if let Some(served) = self.served.get_mut(&peer.id) {
                    served.exit(id, &reason.into());
                }
            }
            Header::Credit { through } => peer.with(|link| link.credit(through)),
            Header::Ping { number, latest } => {
                let is_behind = peer.with(|link| {
                    let through = link.incoming.latest();
                    link.send_outside(Priority::Urgent, &Header::Pong { number, through });
                    link.incoming.is_behind(latest)
                });
                if is_behind {
                    self.reconnect(peer);
                }
            }
            Header::Pong { number, through } => peer.with(|link| {
                link.credit(through);
                if link.ping.0 == number {
                    let round_trip: Duration = link.ping.1.elapsed();
                    link.round_trip = Some(round_trip);
                }
            }),
            report => on_report(peer, report, payload),
        }
    }

    fn on_names(&mut self, peer: &Arc<Peer>, applied: Applied) {
        match applied {
            Applied::Changed(changes) => {
                let added = changes.iter().filter_map(ViewChange::added).cloned();
                let added: Vec<String> = added.collect();
                self.publish_names(&peer.id.name, changes);
                added.iter().for_each(|name| self.settle_claim(name));
            }
            Applied::Nothing => {}
            Applied::Gap => self.reconnect(peer),
            Applied::TooMany(known) => {
                self.publish_names(&peer.id.name, known);
                self.node.publish(NodeEvent::TooManyNames(peer.id.clone()));
            }
        }
    }

    pub(super) fn publish_names(&self, node: &NodeName, changes: Vec<ViewChange>) {
        changes.into_iter().for_each(|change| self.node.publish_name(node, change));
    }
}
