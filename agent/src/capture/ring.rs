//! The packet ring of one interface: AF_PACKET, TPACKET_V3.
