/* base/point.h - named places where a fault test may kill the process
 *
 * Compiled in only by -Dpoints=true.  A point has a name of two parts, whose work it is and the
 * moment: POINT("accept", "commit_sent").  DOCKET_POINT="accept.commit_sent" (or "…:3" for the
 * third time) in the environment makes the process kill itself there with SIGKILL;
 * DOCKET_POINT_LOG=FILE appends the name of every point when it is reached for the first time, so
 * that a test can tell which were never hit.
 */
#pragma once

#ifdef DOCKET_POINTS
#define POINT(work, moment) point_reach(work, moment)
void point_reach(const char *work, const char *moment);
#else
#define POINT(work, moment) ((void)(work), (void)(moment))
#endif
