/*
 * The example board as a program: its serial port is a pseudo-terminal whose name is the first line
 * of the log on stdout. A line on stdin restarts the board; the end of stdin ends it.
 */
#define _XOPEN_SOURCE 600

#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

#include "board.h"

#define POLL_MS 5
#define ALL_OF_IT 4096 /* a pseudo-terminal holds no more */

static int terminal;

static int link_write(const uint8_t *bytes, size_t count)
{
    return write(terminal, bytes, count) == (ssize_t)count ? 0 : -1;
}

static void log_print(const char *text)
{
    (void)fputs(text, stdout);
    (void)fflush(stdout);
}

static uint32_t milliseconds(void)
{
    struct timespec now;

    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint32_t)now.tv_sec * 1000u + (uint32_t)(now.tv_nsec / 1000000);
}

/* Open a pseudo-terminal that hands bytes through as they are, and keep its other end open. */
static int open_terminal(void)
{
    struct termios raw;
    int other;

    terminal = posix_openpt(O_RDWR | O_NOCTTY);
    if (terminal < 0 || grantpt(terminal) || unlockpt(terminal)) {
        return -1;
    }
    other = open(ptsname(terminal), O_RDWR | O_NOCTTY);
    if (other < 0 || tcgetattr(other, &raw)) {
        return -1;
    }
    raw.c_iflag = 0;
    raw.c_oflag = 0;
    raw.c_lflag = 0;
    raw.c_cflag = CS8 | CREAD | CLOCAL;
    return tcsetattr(other, TCSANOW, &raw);
}

static void serve(struct board *board, const struct board_port *port)
{
    struct pollfd waiting[2] = {{0, POLLIN, 0}, {0, POLLIN, 0}};
    uint8_t bytes[ALL_OF_IT];
    uint32_t boots = (uint32_t)time(0); /* differs from one run of the program to the next */

    waiting[0].fd = terminal;
    (void)board_start(board, port, boots, milliseconds());
    for (;;) {
        (void)poll(waiting, 2, POLL_MS);
        if (waiting[0].revents & POLLIN) {
            ssize_t count = read(terminal, bytes, sizeof bytes);

            (void)ekws_feed(&board->link, bytes, count > 0 ? (size_t)count : 0, milliseconds());
        }
        if (waiting[1].revents) {
            if (read(STDIN_FILENO, bytes, sizeof bytes) <= 0) {
                return;
            }
            (void)board_start(board, port, ++boots, milliseconds());
        }
        (void)ekws_poll(&board->link, milliseconds());
    }
}

int main(void)
{
    static const struct board_port port = {link_write, log_print};
    static struct board board;

    if (open_terminal()) {
        perror("pseudo-terminal");
        return 1;
    }
    (void)printf("port %s\n", ptsname(terminal));
    serve(&board, &port);
    return 0;
}
