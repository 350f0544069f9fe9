/* SPDX-License-Identifier: Apache-2.0 */
/* The ids of the labels. Made by `edgekws link generate` from a bundle's labels; do not edit. */
#ifndef EKWS_LABELS_H
#define EKWS_LABELS_H

/* What HELLO compares: the first four bytes of the SHA-256 of the labels. */
#define EKWS_LABELS_HASH 0xD19753AEu
#define EKWS_LABEL_COUNT 12u

enum ekws_label {
    EKWS_LABEL_SILENCE = 0,
    EKWS_LABEL_UNKNOWN = 1,
    EKWS_LABEL_YES = 2,
    EKWS_LABEL_NO = 3,
    EKWS_LABEL_UP = 4,
    EKWS_LABEL_DOWN = 5,
    EKWS_LABEL_LEFT = 6,
    EKWS_LABEL_RIGHT = 7,
    EKWS_LABEL_ON = 8,
    EKWS_LABEL_OFF = 9,
    EKWS_LABEL_STOP = 10,
    EKWS_LABEL_GO = 11,
};

/* The labels themselves in UTF-8, as an initializer: const char *names[] = ... */
#define EKWS_LABEL_NAMES \
    { \
        "_silence_", \
        "_unknown_", \
        "yes", \
        "no", \
        "up", \
        "down", \
        "left", \
        "right", \
        "on", \
        "off", \
        "stop", \
        "go" \
    }

#endif
