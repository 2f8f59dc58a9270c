/* external.c - see external.h. While another program runs, Ctrl-C is that one's. */
#include "config.h"

#include "editor/external.h"
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static Error *run(const char *command)
{
    fflush(stdout);
    int status = system(command); /* ignores SIGINT and SIGQUIT meanwhile, as POSIX has it */
    if (status == -1) return error_errno(ERROR_IO, errno, "the system's shell");
    if (WIFSIGNALED(status) && WTERMSIG(status) == SIGINT) {
        if (isatty(STDERR_FILENO)) fputc('\n', stderr); /* behind ^C */
        return error_new(ERROR_CANCELLED, "the command was interrupted");
    }
    if (WIFSIGNALED(status))
        return error_new(ERROR_IO, "the command was ended by signal %d", WTERMSIG(status));
    if (WEXITSTATUS(status) != 0)
        return error_new(ERROR_IO, "the command ended with status %d", WEXITSTATUS(status));
    return NULL;
}

Error *external_run(Str command)
{
    Buffer text = {0};
    buffer_str(&text, command);
    Error *error = run(text.data == NULL ? "" : text.data);
    buffer_free(&text);
    return error;
}

Error *external_open(ExternalPipe *pipe, Str command)
{
    buffer_str(&pipe->command, command);
    fflush(stdout);
    struct sigaction ignore = {.sa_handler = SIG_IGN};
    sigaction(SIGPIPE, &ignore, &pipe->pipe_before); /* it may end before it has read everything */
    pipe->file = popen(pipe->command.data == NULL ? "" : pipe->command.data, "w");
    if (pipe->file != NULL) return NULL;
    sigaction(SIGPIPE, &pipe->pipe_before, NULL);
    Error *error = error_errno(ERROR_IO, errno, "the command %s", pipe->command.data);
    buffer_free(&pipe->command);
    return error;
}

Error *external_close(ExternalPipe *pipe)
{
    struct sigaction ignore = {.sa_handler = SIG_IGN}, interrupt_before;
    sigaction(SIGINT, &ignore, &interrupt_before); /* Ctrl-C is the command's */
    int status = pclose(pipe->file);
    sigaction(SIGINT, &interrupt_before, NULL);
    sigaction(SIGPIPE, &pipe->pipe_before, NULL);
    Error *error = NULL;
    if (status == -1 || !WIFEXITED(status))
        error = error_new(ERROR_IO, "the command %s failed", pipe->command.data);
    else if (WEXITSTATUS(status) != 0)
        error = error_new(ERROR_IO, "the command %s ended with status %d", pipe->command.data,
                          WEXITSTATUS(status));
    buffer_free(&pipe->command);
    return error;
}

Error *external_feed(Str command, Str text)
{
    ExternalPipe pipe = {.file = NULL};
    TRY(external_open(&pipe, command));
    fwrite(text.data, 1, text.bytes, pipe.file);
    return external_close(&pipe);
}

static Error *write_text(int fd, Str text)
{
    while (text.bytes > 0) {
        ssize_t bytes = write(fd, text.data, text.bytes);
        if (bytes < 0 && errno == EINTR) continue;
        if (bytes <= 0) return error_errno(ERROR_IO, errno, "the file to edit");
        text.data += bytes;
        text.bytes -= (size_t)bytes;
    }
    return NULL;
}

static Error *read_text(const char *path, Buffer *out)
{
    char chunk[1 << 12];
    size_t bytes;
    FILE *file = fopen(path, "rb");
    if (file == NULL) return error_errno(ERROR_IO, errno, "the edited file %s", path);
    buffer_clear(out);
    while ((bytes = fread(chunk, 1, sizeof chunk, file)) > 0)
        buffer_append(out, chunk, bytes);
    fclose(file);
    while (out->bytes > 0 && out->data[out->bytes - 1] == '\n')
        out->data[--out->bytes] = '\0';
    return NULL;
}

/* `file` is open, empty, and ours. */
static Error *edit_file(int fd, const char *path, Buffer *text)
{
    const char *visual = getenv("VISUAL"), *editor = getenv("EDITOR");
    Buffer command = {0};
    TRY(write_text(fd, buffer_view(text)));
    TRY(write_text(fd, STR("\n")));
    const char *program = visual != NULL && visual[0] != '\0'   ? visual
                          : editor != NULL && editor[0] != '\0' ? editor
                                                                : "vi";
    buffer_printf(&command, "%s '%s'", program, path);
    Error *error = run(command.data);
    buffer_free(&command);
    if (error != NULL) return error;
    return read_text(path, text);
}

Error *external_edit(Buffer *text)
{
    char path[] = "/tmp/contextql-XXXXXX.cql";
    int fd = mkstemps(path, 4); /* mode 0600 */
    if (fd < 0) return error_errno(ERROR_IO, errno, "a file to edit");
    Error *error = edit_file(fd, path, text);
    close(fd);
    unlink(path);
    return error;
}
