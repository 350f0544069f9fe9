/* SPDX-License-Identifier: Apache-2.0 */
/* Windows of samples out of a stream in whatever portions it comes. */
#include "ekws_mfcc.h"

#include <string.h>

uint32_t ekws_frames_take(ekws_frames *frames, const ekws_mfcc *mfcc, const int16_t *pcm, uint32_t count)
{
    const uint32_t room = (uint32_t)mfcc->window - frames->count;
    const uint32_t taken = count < room ? count : room;
    memcpy(frames->held + frames->count, pcm, taken * sizeof *pcm);
    frames->count = (uint16_t)(frames->count + taken);
    return taken;
}

int ekws_frames_full(const ekws_frames *frames, const ekws_mfcc *mfcc)
{
    return frames->count == mfcc->window;
}

void ekws_frames_slide(ekws_frames *frames, const ekws_mfcc *mfcc)
{
    frames->count = (uint16_t)(mfcc->window - mfcc->hop);
    memmove(frames->held, frames->held + mfcc->hop, frames->count * sizeof *frames->held);
}
