"""The link to a microcontroller: messages, frames, and the host's side of the conversation.

`firmware_bridge/SPEC.md` says what goes over the wire; its C code is generated from `messages`.
"""
