/* file.h - text of files, below a root that is "" for the real system and a directory with a made-up tree in tests. */
#ifndef PE__BASE_FILE_H
#define PE__BASE_FILE_H

/* The whole text, to be freed; NULL when it cannot be had. */
char *pe__base_file_read(const char *root, const char *path);

#endif
