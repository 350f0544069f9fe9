/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The firmware's end of the link: commands in, each carried out at most once, and a safe state of
 * the outputs whenever the host is not heard. SPEC.md says what goes over the wire.
 *
 * The caller owns all memory: one `struct ekws_link` per wire, and a const `struct ekws_config` that
 * outlives it. No function waits, allocates, or calls itself. There is no lock inside: call
 * everything of one link from one thread, never from an interrupt, and nothing of it from its own
 * callbacks but `ekws_is_up`. What an interrupt receives goes through a ring of the port's own.
 *
 *     ekws_init(&link, &config, boots, now());
 *     for (;;) {
 *         while ((count = port_read(bytes, sizeof bytes)) > 0) {
 *             ekws_feed(&link, bytes, count, now());
 *         }
 *         ekws_poll(&link, now());
 *     }
 *
 * `now_ms` is any clock of milliseconds that runs on and may wrap.
 */
#ifndef EKWS_BRIDGE_H
#define EKWS_BRIDGE_H

#include <stddef.h>
#include <stdint.h>

#include "ekws_frame.h"

#ifdef __cplusplus
extern "C" {
#endif

/** What `execute` answers beside 0 and refusals: nothing is done yet, ask again at the next poll. */
#define EKWS_LATER (-1)

/** One row of the safe state: what an output is set to when the host is not heard. */
struct ekws_output {
    uint8_t output;
    uint16_t value;
};

/** What `event` is told. */
enum ekws_event {
    EKWS_EVENT_UP = 1,      /* the host is heard; detail is the session */
    EKWS_EVENT_DOWN = 2,    /* the host is not heard any more; detail counts these losses */
    EKWS_EVENT_REFUSED = 3, /* a frame was refused; detail is an enum ekws_reason */
    EKWS_EVENT_NOISE = 4    /* bytes that were no frame; detail counts them */
};

/** What a board is and does. All but `event` and `safe` has to be there. */
struct ekws_config {
    uint32_t labels_hash; /* EKWS_LABELS_HASH */
    uint16_t label_count; /* EKWS_LABEL_COUNT */
    uint16_t timeout_ms;  /* lost after so long without a frame; 1 to EKWS_MAX_TIMEOUT_MS */
    uint32_t build;       /* any number that tells this firmware from others */
    const struct ekws_output *safe;
    uint8_t safe_count;
    void *context; /* handed to every callback */

    /** Send bytes, or keep them to send; a negative value: the port does not take all of them. */
    int (*write)(void *context, const uint8_t *bytes, size_t count);

    /**
     * Carry a command out; called once for each, unless it returns EKWS_LATER. Return 0 when it is
     * done, EKWS_LATER to be asked again until its time to live is over, or a code above 0 to refuse.
     * Do not wait in it: for as long as it takes the host is not heard.
     */
    int (*execute)(void *context, const struct ekws_command *command);

    /** Set an output, for the safe state. */
    void (*drive)(void *context, uint8_t output, uint16_t value);

    /** Return the outputs as bits, for STATE. */
    uint32_t (*outputs)(void *context);

    /** Take note of something, for a log. */
    void (*event)(void *context, enum ekws_event event, uint32_t detail);
};

/** One link. Its fields are the library's own; they stand here so that the caller can place them. */
struct ekws_link {
    const struct ekws_config *config;
    uint32_t boots;
    uint32_t session;       /* 0: none */
    uint32_t nonce;         /* of the host that the session was granted to */
    uint32_t heard_ms;      /* when a frame of the session last came */
    uint32_t received_ms;   /* when the command came at the earliest */
    uint32_t polled_ms;     /* when `ekws_poll` was last called */
    uint32_t looked_ms;     /* and when before that: what is handed over has come since then */
    uint32_t command_id;    /* of the last command; 0: none in this session */
    uint32_t answer_detail; /* of the last command's answer */
    uint32_t executed;
    uint32_t refused_frames;
    uint16_t sessions;
    uint16_t losses;
    uint8_t answer;          /* 0: done, else an enum ekws_reason */
    uint8_t waiting;         /* the last command has no answer yet */
    uint8_t answer_sequence; /* of the frame that the answer is for */
    uint8_t safe;            /* the outputs are in the safe state, and stay there */
    uint8_t held;            /* bytes in `bytes` */
    uint8_t bytes[EKWS_MAX_STUFFED];
    struct ekws_command command;
};

/**
 * Begin: put the outputs into the safe state and tell the host that the board has started.
 * `boots` has to differ from one start to the next: a counter in flash or a random number.
 * Return EKWS_OK, EKWS_ERROR_ARGUMENT, where nothing has begun, or EKWS_ERROR_WRITE, where all has.
 */
int ekws_init(struct ekws_link *link, const struct ekws_config *config, uint32_t boots,
              uint32_t now_ms);

/**
 * Take `count` bytes from the wire, in any portions, and answer what they ask.
 * Return EKWS_OK, or the error of the last frame that was none, which is for a log: the host repeats.
 */
int ekws_feed(struct ekws_link *link, const uint8_t *bytes, size_t count, uint32_t now_ms);

/**
 * Look at the clock: ask about a waiting command again, and drive the safe state when the host was
 * not heard for `timeout_ms`. Call it every few milliseconds, whenever all that has come is fed.
 *
 * A program that was busy for longer finds the loss later by so much, and at the next call of either
 * function. Commands that came meanwhile count as old as the last call but one is ago, so those
 * that lay in the port for their time to live are refused.
 */
int ekws_poll(struct ekws_link *link, uint32_t now_ms);

/** Return whether the host is heard, so that outputs follow its commands. */
int ekws_is_up(const struct ekws_link *link);

#ifdef __cplusplus
}
#endif

#endif
