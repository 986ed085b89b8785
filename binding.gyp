{
  'targets': [
    {
      'target_name': 'lunette',
      'dependencies': ["<!(node -p \"require('node-addon-api').targets\"):node_addon_api_except"],
      # SWALLOW: in a thread that is being terminated no error can be thrown, and node-addon-api would end the
      # process for it.
      'defines': ['NAPI_VERSION=8', 'NODE_API_SWALLOW_UNTHROWABLE_EXCEPTIONS'],
      'conditions': [
        ['OS=="linux"', {
          'sources': [
            'native/addon.cc',
            'native/arguments.cc',
            'native/clock.cc',
            'native/direct-wait.cc',
            'native/file-io.cc',
            'native/io-flusher.cc',
            'native/loop-callback.cc',
            'native/loop-turn.cc',
            'native/mapped-file.cc',
            'native/mapping.cc',
            'native/memory-lock.cc',
            'native/memory-region.cc',
            'native/netlink-socket.cc',
            'native/page-memory.cc',
            'native/parent-death.cc',
            'native/peer-credentials.cc',
            'native/poller.cc',
            'native/region-memory.cc',
            'native/scsi-generic.cc',
            'native/sd-notify.cc',
            'native/event-descriptor.cc',
            'native/syscall-error.cc',
            'native/uio-region.cc',
            'native/unique-fd.cc',
          ],
          'cflags_cc': ['-std=c++17', '-O2', '-Wall', '-Wextra', '-fvisibility=hidden'],
        }, {
          # TCMU, netlink and eventfd are Linux's. Elsewhere the package still installs; src/scsi and the
          # emulator need no addon.
          'sources': ['native/unsupported.cc'],
        }],
      ],
    },
  ],
}
