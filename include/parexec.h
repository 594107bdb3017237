#ifndef PAREXEC_H
#define PAREXEC_H
#include <parexec/cpu.h>
#include <parexec/error.h>
#include <parexec/export.h>
#include <parexec/init.h>
#include <parexec/job.h>
#include <parexec/log.h>
#include <parexec/map.h>
#include <parexec/options.h>
#include <parexec/pool.h>
#include <parexec/version.h>
#include <parexec/worker.h>
#endif
